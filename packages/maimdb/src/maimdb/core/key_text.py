"""The text of an API key: made, told from a mistyped one without a database, and hashed.

A key that MaimDB makes is `maimdb_<id>_<secret><checksum>`: the row's id without `key_`, 22 random base62
digits (130 bits), and the CRC-32 of what stands between the first underscore and itself as 6 base62 digits.
A caller's own key is any other text. Stored is an HMAC-SHA-256 of the whole text.

Rows of versions before the pepper hold a plain SHA-256 and no pepper's name; they stay valid.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import zlib
from typing import Final, NamedTuple

from maimdb.core.settings import load_peppers

PREFIX: Final = "maimdb"
SHORTEST: Final = 8
LONGEST: Final = 512
"""Characters of a key's text, at least and at most."""
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET: Final = 22
_CHECKSUM: Final = 6
_TYPED: Final = re.compile(
    rf"(?P<prefix>.*_)?(?P<body>(?P<id>[0-9A-Za-z]{{1,46}})_[0-9A-Za-z]{{{_SECRET}}})"
    rf"(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM}}})",
    re.DOTALL,
)
_ID: Final = re.compile(r"key_([0-9A-Za-z]{1,46})")
_DEVELOPMENT: Final = "maimdb development pepper: not a secret"

logger = logging.getLogger("maimdb")


class Parsed(NamedTuple):
    """What a key's text says of itself."""

    known: bool
    """Whether it can be anybody's: False for a key of ours that was mistyped or cut off."""
    key_id: str
    """The id of its row; '' for a caller's own key."""


class Pepper(NamedTuple):
    """A secret that keys are hashed with."""

    name: str
    """What the table calls it: 8 hexadecimal digits that do not give it away."""
    secret: bytes

    def __repr__(self) -> str:
        return f"Pepper({self.name!r})"


_peppers: tuple[Pepper, ...] = ()
_warned = False


def make(key_id: str) -> str:
    """Return the text of a new key."""
    found = _ID.fullmatch(key_id)
    # A row with another kind of id is found by its hash.
    shown = found[1] if found else "".join(secrets.choice(_DIGITS) for _ in range(8))
    body = f"{shown}_{''.join(secrets.choice(_DIGITS) for _ in range(_SECRET))}"
    return f"{PREFIX}_{body}{_checksum(body)}"


def parse(text: str) -> Parsed:
    """Return whether a key's text can be anybody's, and whose row it names."""
    found = _TYPED.fullmatch(text)
    if found and _checksum(found["body"]) == found["checksum"]:
        ours = found["prefix"] == f"{PREFIX}_"
        return Parsed(ours, f"key_{found['id']}" if ours else "")
    return Parsed(SHORTEST <= len(text) <= LONGEST and not text.startswith(PREFIX), "")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


def peppers(*, warn: bool = False) -> tuple[Pepper, ...]:
    """Return the peppers that are accepted, the newest first; read once for each opened database."""
    global _peppers, _warned  # noqa: PLW0603 - kept, as the environment is read from a file too
    if not _peppers:
        configured = [secret.reveal() for secret in load_peppers()]
        _peppers = tuple(_pepper(text) for text in configured or [_DEVELOPMENT])
    if warn and not _warned and _peppers[0].name == _pepper(_DEVELOPMENT).name:
        _warned = True
        logger.warning(
            "MAIMDB_KEY_PEPPER is not set: API keys are hashed with a development value that everybody "
            "knows; set it to a random secret before the first key is given out"
        )
    return _peppers


def _pepper(text: str) -> Pepper:
    return Pepper(hashlib.sha256(b"maimdb pepper\0" + text.encode()).hexdigest()[:8], text.encode())


def forget_peppers() -> None:
    """Read the peppers anew when they are needed next."""
    global _peppers  # noqa: PLW0603
    _peppers = ()


def digest(text: str) -> tuple[str, str]:
    """Return what is stored of a key's text: its hash, and the name of the pepper."""
    newest = peppers()[0]
    return _hashed(newest.secret, text), newest.name


def digests(text: str) -> dict[str | None, str]:
    """Return the hash of a key's text by each pepper's name, the newest first; None: without a pepper."""
    found: dict[str | None, str] = {each.name: _hashed(each.secret, text) for each in peppers()}
    found[None] = hashlib.sha256(_bytes(text)).hexdigest()
    return found


def _hashed(secret: bytes, text: str) -> str:
    return hmac.digest(secret, _bytes(text), "sha256").hex()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
