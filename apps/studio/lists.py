"""Edit lists from people: their words are checked, and their sounds are ones this session knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PureWindowsPath

from apps.edits import EditSpec
from apps.samples import sounds
from apps.studio.checks import clean_prompt
from apps.studio.session import Session
from guidance.controls.edits import Edit, EditList


def specs_of(path: Path, session: Session) -> list[EditSpec]:
    """The enabled edits of a list, each ready to be made.

    A list names files, and the server's are nobody's business: a sound is found by its file name
    among the samples and the sounds of the session's own edits.

    Raises:
        FileNotFoundError: no such list.
        ValueError: not an edit list, words that the page would not take, a sound it does not know.
    """
    known = _known_sounds(session)
    edits = [edit for edit in EditList.load(path).edits if edit.enabled]
    return [EditSpec.from_edit(_checked(edit, known)) for edit in edits]


def _checked(edit: Edit, known: dict[str, set[Path]]) -> Edit:
    if edit.mask:
        raise ValueError("this list needs a mask's file, which is not open here: name a region")
    return replace(
        edit,
        text=clean_prompt(edit.text),
        neutral=clean_prompt(edit.neutral, "What it looks like now"),
        sound=None if not edit.sound else str(_found(edit.sound, known)),
    )


def _found(sound: str, known: dict[str, set[Path]]) -> Path:
    name = PureWindowsPath(sound).name  # takes / and \\ alike: lists come from any system
    found = known.get(name, set())
    if not found:
        raise ValueError(f"this list needs the sound {name}: add it on the Sound tab first")
    if len(found) > 1:
        raise ValueError(f"{len(found)} sounds here are called {name}: give them different names")
    return next(iter(found))


def _known_sounds(session: Session) -> dict[str, set[Path]]:
    """Files by name; a session's own sound comes before a sample of its name."""
    own: dict[str, set[Path]] = {}
    for step in (*session.steps, *session.undone):
        for path in () if step.spec is None else step.spec.sounds:
            if path.is_file():
                own.setdefault(path.name, set()).add(path)
    return {path.name: {path} for path in sounds()} | own
