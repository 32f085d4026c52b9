"""Options that belong together, as one argument of a command: which model, which face, what wish.

    @grouped
    def edit(photo: o.Photo, wish: Wish, model: ModelChoice) -> None: ...

takes `--text`, `--sound`, ..., `--model`, `--device`, ...: every field of a group is an option.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from apps.commands import options as o
from apps.commands.options import AUTO
from apps.console import say, steps

if TYPE_CHECKING:
    from apps.edits import EditSpec
    from multimodal import FaceEditor
    from multimodal.types import Face


@dataclass(frozen=True)
class ModelChoice:
    """Which model edits, with which parts, and where it runs."""

    model: o.Model = "default"
    encoder: o.Encoder = None
    clip: o.Clip = None
    device: o.Device = "auto"

    def load(self) -> FaceEditor:
        """The editor that was asked for."""
        from apps.edits import load_editor

        return load_editor(self.model, self.device, self.encoder, self.clip)


@dataclass(frozen=True)
class FaceChoice:
    """Which face of a photo, and how it is inverted."""

    inversion: o.InvertMethod = AUTO
    face: o.Faces = None
    seed: o.Seed = 0
    aligned: o.IsAligned = False

    def find(self, editor: FaceEditor, photo: Path, quick: bool = False) -> Face:
        """The face, inverted; progress goes to the console.

        Args:
            editor: finds it.
            photo: where.
            quick: the photo itself will be edited, so that a rough code does.
        """
        from apps.faces import load_face, method_of, notes_of, which_face

        index, method = which_face(self.face), method_of(editor, self.inversion, quick)
        with steps("inverting") as on_step:
            face = load_face(editor, photo, method, index, on_step, self.seed, self.aligned)
        for note in notes_of(face):
            say(note)
        return face


@dataclass(frozen=True)
class Wish:
    """What shall change, how far, and what shall not."""

    text: o.Text = None
    neutral: o.Neutral = None
    sound: o.Sound = None
    mix: o.Mix = 0.5
    method: o.Method = "auto"
    strength: o.Strength = 1.0
    keep: o.Keep = None
    region: o.Region = None
    layers: o.Layers = None
    edits: o.Edits = None
    settings: o.Settings = None
    fidelity: o.Fidelity = "photo"

    def spec(self, seed: int, mask: Path | None = None, anything: bool = False) -> EditSpec:
        """The same for the editor.

        Args:
            seed: everything random follows from it.
            mask: picture of where the edit may act, or None.
            anything: what to change is said elsewhere, so that nothing need be said here.

        Raises:
            ValueError: nothing to change, or a setting that cannot be read.
        """
        from apps.edits import EditSpec, names

        return EditSpec(
            self.text, self.neutral, tuple(self.sound or ()), self.mix, self.method, self.strength,
            names(self.keep), self.region, mask, names(self.layers), seed, self.edits,
            o.pairs(self.settings), self.fidelity, anything,
        )  # fmt: skip


def grouped(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with every dataclass among its parameters spread out into its fields."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hints[name] for name in signature(command).parameters if _is_group(hints[name])}

    @wraps(command)
    def spread(**given: Any) -> Any:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        return command(**given)

    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        own = parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name])
        parameters += _options(groups[name]) if name in groups else [own]
    vars(spread).pop("__wrapped__")
    spread.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in parameters}
    return spread


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _options(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(group)
    ]
