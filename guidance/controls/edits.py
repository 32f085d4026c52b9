"""Edit lists: what was done to a face, as plain data that can be saved, reordered and replayed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from multimodal.files.weights import atomic
from multimodal.types import check_text

MAX_EDITS = 64
MAX_TEXT = 1000
MAX_JSON_BYTES = 1 << 20
MAX_STRENGTH = 20.0
FORMAT = "semblance edits 1"


@dataclass(frozen=True)
class Edit:
    """One edit, as `editor.edit` takes it.

    Args:
        text: what the face should look like, or None.
        sound: file of a sound, or None.
        neutral: what it looks like now, or None for "a face".
        method: a guidance method's name, or "auto".
        strength: how far.
        keep: attributes to leave alone.
        region: named region, or None.
        mask: file of a picture of the aligned face, white where it may change, or None.
        layers: rows or groups of W+, or None for all.
        mix: share of the sound where there is text too.
        seed: everything random follows from it.
        enabled: whether a replay makes it.
    """

    text: str | None = None
    sound: str | None = None
    neutral: str | None = None
    method: str = "auto"
    strength: float = 1.0
    keep: tuple[str, ...] = ()
    region: str | None = None
    mask: str | None = None
    layers: tuple[int | str, ...] | None = None
    mix: float = 0.5
    seed: int = 0
    enabled: bool = True

    def __post_init__(self) -> None:
        if not (self.text or self.sound):
            raise ValueError("an edit needs a text or a sound")
        for name in ("text", "sound", "neutral", "method", "region", "mask"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT):
                raise ValueError(f"{name} must be a text of at most {MAX_TEXT} characters")
            check_text(value, name)
        if self.region and self.mask:
            raise ValueError("give a region or a mask, not both")
        for name, low, high in (("strength", -MAX_STRENGTH, MAX_STRENGTH), ("mix", 0.0, 1.0)):
            _check_number(name, getattr(self, name), low, high)
        if type(self.seed) is not int or abs(self.seed) >= 2**63:
            raise ValueError(f"seed {self.seed!r} is not a 64-bit integer")
        if not isinstance(self.enabled, bool):
            raise ValueError(f"enabled {self.enabled!r} is neither true nor false")
        _check_items("keep", self.keep, (str,))
        if self.layers is not None:
            _check_items("layers", self.layers, (str, int))
        if self.layers == ():
            raise ValueError("layers is empty: name rows or groups, or leave it out for all")

    def options(self) -> dict[str, Any]:
        """Keyword arguments of `editor.edit`."""
        values = asdict(self)
        del values["enabled"]
        return values


@dataclass(frozen=True)
class EditList:
    """Edits in the order they are made; every change gives a new list.

    Args:
        edits: at most 64.
    """

    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if len(self.edits) > MAX_EDITS:
            raise ValueError(f"{len(self.edits)} edits given, a list holds at most {MAX_EDITS}")

    def __len__(self) -> int:
        return len(self.edits)

    def add(self, edit: Edit) -> EditList:
        """With one more edit at the end."""
        return EditList((*self.edits, edit))

    def undo(self) -> EditList:
        """Without the last edit.

        Raises:
            ValueError: there is none.
        """
        if not self.edits:
            raise ValueError("there is no edit to undo")
        return EditList(self.edits[:-1])

    def remove(self, index: int) -> EditList:
        """Without one edit."""
        self._check(index)
        return EditList(self.edits[:index] + self.edits[index + 1 :])

    def move(self, index: int, to: int) -> EditList:
        """With one edit at another place."""
        self._check(index)
        self._check(to)
        rest = [e for i, e in enumerate(self.edits) if i != index]
        rest.insert(to, self.edits[index])
        return EditList(tuple(rest))

    def change(self, index: int, **changes: Any) -> EditList:
        """With fields of one edit changed ("strength", "enabled", ...)."""
        self._check(index)
        edits = list(self.edits)
        edits[index] = replace(edits[index], **changes)
        return EditList(tuple(edits))

    def save(self, path: Path | str) -> Path:
        """Write as JSON."""
        path = Path(path)
        content = {"format": FORMAT, "edits": [_plain(e) for e in self.edits]}
        with atomic(path) as part:
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: Path | str) -> EditList:
        """Read a JSON file written by `save` or by hand. Sounds and masks that lie beside it are
        found there.

        Raises:
            FileNotFoundError: no such file.
            ValueError: too large, not JSON, or not an edit list.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no edit list {path}")
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"edit list {path} is larger than {MAX_JSON_BYTES} bytes")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"edit list {path} is not JSON: {error}") from error
        found = cls.from_plain(content).edits
        return cls(tuple(_beside(path.parent, edit) for edit in found))

    @classmethod
    def from_plain(cls, content: Any) -> EditList:
        """Check and read parsed JSON.

        Raises:
            ValueError: it is not an edit list.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"not an edit list: 'format' must be {FORMAT!r}")
        rows = content.get("edits")
        if not isinstance(rows, list) or len(rows) > MAX_EDITS:
            raise ValueError(f"'edits' must be a list of at most {MAX_EDITS} edits")
        return cls(tuple(_parsed(i, row) for i, row in enumerate(rows)))

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self.edits):
            raise ValueError(f"edit {index} is not one of 0..{len(self.edits) - 1}")


def _beside(folder: Path, edit: Edit) -> Edit:
    def found(file: str | None) -> str | None:
        return str(folder / file) if file and (folder / file).is_file() else file

    return replace(edit, sound=found(edit.sound), mask=found(edit.mask))


def _plain(edit: Edit) -> dict[str, Any]:
    defaults = {f.name: f.default for f in fields(Edit)}
    return {k: v for k, v in asdict(edit).items() if v != defaults[k]}


def _parsed(index: int, row: Any) -> Edit:
    if not isinstance(row, Mapping):
        raise ValueError(f"edit {index} is not an object")
    known = [f.name for f in fields(Edit)]
    unknown = sorted(set(map(str, row)) - set(known))
    if unknown:
        raise ValueError(f"edit {index} has unknown fields {unknown}; there are {known}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    try:
        return Edit(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"edit {index}: {error}") from error


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{name} {value!r} is not a number in {low:g}..{high:g}")


def _check_items(name: str, items: Any, kinds: tuple[type, ...]) -> None:
    if not isinstance(items, tuple) or len(items) > MAX_EDITS:
        raise ValueError(f"{name} must be a list of at most {MAX_EDITS} names")
    if any(not isinstance(i, kinds) or isinstance(i, bool) or len(str(i)) > 100 for i in items):
        raise ValueError(f"{name} {items!r} holds something that is not a name")
