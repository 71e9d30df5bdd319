"""The folder of a project that is generated: begun, gone on with, and written to with care."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mimiod.errors import ProjectError
from mimiod.workflow import skeletons
from mimiod.workflow.drafts import INPUTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

STATE: Final = ".mimiod"
"The folder in a project's with the transcript."
MAIN: Final = "main.py"
"The file that is Mimiod's, and that no model writes."


@dataclass
class ProjectFolder:
    """A project's folder."""

    path: Path
    brief_name: str
    brief: str
    overwrites: bool = False
    "Whether files that somebody else wrote are written over."
    texts: dict[str, set[str]] = field(default_factory=dict)
    "Of each file, what a model answered at any time."

    @property
    def transcript(self) -> Path:
        """The file with the transcript."""
        return self.path / STATE / "transcript.jsonl"

    @property
    def given(self) -> dict[str, str]:
        """The files that no model writes."""
        return {self.brief_name: self.brief, MAIN: self._skeleton(MAIN)}

    def made(self, files: Mapping[str, str]) -> None:
        """Learn what a model answered."""
        for name, text in files.items():
            self.texts.setdefault(name, set()).add(text)

    def keep(self, files: Mapping[str, str]) -> None:
        """Write the files.

        Raises:
            ProjectError: one was changed by somebody else since; none is written.
        """
        now = {name: self._text(name) for name in files}
        if not self.overwrites:
            for name, text in now.items():
                known = {None, files[name], *self.texts.get(name, ())}
                if text not in known and not self._is_skeleton(name):
                    raise ProjectError(
                        f"{self.path / name} was changed by hand, and would be written over: go on by hand "
                        f"with `mimiod check {self.path.name}`, or start over with --fresh"
                    )
        for name, text in {**self.given, **files}.items():
            if self._text(name) != text:
                fresh = self.path / STATE / f"{name}.part"
                fresh.write_text(text, encoding="utf-8")
                fresh.replace(self.path / name)

    def changed_by_hand(self) -> list[str]:
        """Return the files that are there and no skeletons, though no model was asked yet."""
        names = [name for name in skeletons.FILES if name != MAIN]
        return [name for name in names if self._text(name) is not None and not self._is_skeleton(name)]

    def _is_skeleton(self, name: str) -> bool:
        return name in skeletons.FILES and self._text(name) == self._skeleton(name)

    def _skeleton(self, name: str) -> str:
        return skeletons.skeleton(name, self.path.name, self.brief_name)

    def _text(self, name: str) -> str | None:
        try:
            return (self.path / name).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise ProjectError(f"{self.path / name} cannot be read: {exc.strerror or exc}") from exc


def opened(name: str, source: str, home: Path, standard_input: BinaryIO, *, fresh: bool) -> ProjectFolder:
    """Return `projects/NAME`, made if it is not there; `source` is a file with the brief, or `-`.

    Raises:
        ProjectError: the name or the brief cannot be used, or the folder holds something else.
    """
    path = home / "projects" / name
    exists = name.isidentifier() and path.is_dir()
    if not exists:
        skeletons.create(name, source, home, standard_input)
    brief_name = next((each for each in INPUTS if (path / each).is_file()), None)
    if brief_name is None:
        raise ProjectError(f"{path} exists and has no brief: give another --name")
    brief = (path / brief_name).read_bytes().decode("utf-8", "replace")
    if exists and _given(source, standard_input) != brief:
        raise ProjectError(f"{path} exists and is of another brief: give that one, or another --name")
    folder = ProjectFolder(path, brief_name, brief, overwrites=fresh)
    if exists and not fresh and not folder.transcript.is_file() and (names := folder.changed_by_hand()):
        raise ProjectError(
            f"{path} exists, and {', '.join(names)} would be written over: give another --name, or --fresh"
        )
    folder.transcript.parent.mkdir(exist_ok=True)
    return folder


def _given(source: str, standard_input: BinaryIO) -> str:
    try:
        raw = standard_input.read() if source == "-" else Path(source).read_bytes()
    except OSError as exc:
        raise ProjectError(f"{source} cannot be read: {exc.strerror or exc}") from exc
    return raw.decode("utf-8-sig", "replace")
