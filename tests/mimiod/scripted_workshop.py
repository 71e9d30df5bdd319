"""The worked example of the steps as a model would answer it."""

from tests.mimiod import workshop

NAME = "workshop"


def files():
    """Return the example's files by name."""
    return workshop.blocks()


def answer(*names, change=("", "")):
    """Return an answer with these files of the example, and one text in them changed for another."""
    texts = {name: files()[name] for name in names}
    assert any(change[0] in text for text in texts.values())
    return block({name: text.replace(*change) if change[0] else text for name, text in texts.items()})


def block(texts):
    """Return an answer with these files."""
    parts = [f"=== FILE {name} ===\n{text.rstrip()}\n=== END {name} ===" for name, text in texts.items()]
    return "\n\n".join(["Here they are.", *parts])
