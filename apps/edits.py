"""One edit as a person asks for it, on the command line, in a batch or on the web."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import InitVar, asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal.editing.finishing import PHOTO, check_fidelity
from multimodal.files.paths import existing_file
from multimodal.files.weights import sha256_of
from multimodal.types import check_seed, check_text

if TYPE_CHECKING:
    from guidance.controls.edits import Edit
    from multimodal import FaceEditor
    from multimodal.types import EditResult, Face, OnStep

MAX_STRENGTH = 20.0
MAX_ABOUT = 500
TINY_NOTE = (
    "The bundled model is not in this installation: this runs on a tiny network with random "
    "weights. It proves that everything works; its pictures show no faces."
)


@dataclass(frozen=True)
class EditSpec:
    """What to do to a face.

    Args:
        text: what it should look like, or None.
        neutral: what it looks like now, or None for "a face".
        sounds: sound files that drive the edit.
        mix: share of the sound where there is text too, in [0, 1].
        method: a guidance method's name, or "auto".
        strength: how far, in [-20, 20].
        keep: attributes to leave alone.
        region: named part of the face to change, or None.
        mask: a picture of the aligned face, white where it may change, or None.
        layers: layer groups to change; empty means all.
        seed: everything random follows from it.
        edits: an edit list to replay instead, or None.
        settings: of the method, by name (`steps`, `alpha`, `mapper` ...).
        fidelity: "photo" changes the photo, "drawing" gives the generator's picture.
        later: the words or sounds come later, by `overridden`.
    """

    text: str | None = None
    neutral: str | None = None
    sounds: tuple[Path, ...] = ()
    mix: float = 0.5
    method: str = "auto"
    strength: float = 1.0
    keep: tuple[str, ...] = ()
    region: str | None = None
    mask: Path | None = None
    layers: tuple[str, ...] = ()
    seed: int = 0
    edits: Path | None = None
    settings: tuple[tuple[str, Any], ...] = ()
    fidelity: str = PHOTO
    later: InitVar[bool] = False

    def __post_init__(self, later: bool) -> None:
        if not (self.text or self.sounds or self.edits or later):
            raise ValueError("say what to change: a text, a sound or an edit list")
        check_fidelity(self.fidelity)
        if self.edits:
            self._refuse_beside_a_list()
        if self.region and self.mask:
            raise ValueError("give a region or a mask, not both")
        check_seed(self.seed)
        for name in ("text", "neutral"):
            check_text(getattr(self, name), name)
        if not abs(self.strength) <= MAX_STRENGTH:
            raise ValueError(f"strength {self.strength} is not in +-{MAX_STRENGTH:g}")
        if not 0 <= self.mix <= 1:
            raise ValueError(f"mix {self.mix} is not in 0..1")
        for path in (*self.sounds, self.mask, self.edits):
            if path is not None:
                existing_file(path, "file")

    def _refuse_beside_a_list(self) -> None:
        """Every edit of a list brings its own settings: what is given beside it would be lost."""
        if self.text or self.sounds:
            raise ValueError("an edit list cannot be joined with a text or a sound")
        whole = ("text", "sounds", "seed", "edits", "fidelity")
        own = [field for field in fields(self) if field.name not in whole]
        given = [field.name for field in own if getattr(self, field.name) != field.default]
        if given:
            raise ValueError(f"an edit list has its own settings; leave out {', '.join(given)}")

    @property
    def about(self) -> str:
        """The edit in words, for the mark in a picture."""
        if self.edits is None:
            return self.text or "edited by sound"
        from guidance.controls.edits import EditList

        enabled = (edit for edit in EditList.load(self.edits).edits if edit.enabled)
        return "; ".join(edit.text or "edited by sound" for edit in enabled)[:MAX_ABOUT]

    @classmethod
    def from_edit(cls, edit: Edit) -> EditSpec:
        """An entry of an edit list."""
        return cls(
            text=edit.text,
            neutral=edit.neutral,
            sounds=(Path(edit.sound),) if edit.sound else (),
            mix=edit.mix,
            method=edit.method,
            strength=edit.strength,
            keep=edit.keep,
            region=edit.region,
            mask=Path(edit.mask) if edit.mask else None,
            layers=tuple(str(layer) for layer in edit.layers or ()),
            seed=edit.seed,
        )

    def as_edit(self, strength: float) -> Edit:
        """This edit as an entry of an edit list, at the strength it ended with.

        A sound or mask is named by its file name alone: where it lay on this machine is nobody's
        business. A list finds both beside itself.

        Raises:
            ValueError: several sounds or a method's settings, which a list has no place for.
        """
        from guidance.controls.edits import Edit

        if len(self.sounds) > 1 or self.settings:
            raise ValueError("an edit list holds one sound an edit, and no settings of a method")
        return Edit(
            text=self.text,
            sound=self.sounds[0].name if self.sounds else None,
            neutral=self.neutral,
            method=self.method,
            strength=strength,
            keep=self.keep,
            region=self.region,
            mask=self.mask.name if self.mask else None,
            layers=self.layers or None,
            mix=self.mix,
            seed=self.seed,
        )

    def plan(self) -> dict[str, Any]:
        """What decides the result, with files named by their content."""
        values = asdict(self)
        values["sounds"] = [_digest(path) for path in self.sounds]
        for name in ("mask", "edits"):
            values[name] = _digest(values[name]) if values[name] else None
        return values

    def overridden(self, values: Mapping[str, Any]) -> EditSpec:
        """This edit with what a manifest's row sets: `text`, `neutral`, `sound`, `strength`.

        Raises:
            ValueError: neither of them says what to change.
        """
        kinds: dict[str, Callable[[Any], Any]] = {"text": str, "neutral": str, "strength": float}
        changes = {name: kind(values[name]) for name, kind in kinds.items() if name in values}
        if "sound" in values:
            changes["sounds"] = (Path(values["sound"]),)
        return replace(self, **changes)


def names(given: str | None) -> tuple[str, ...]:
    """The names in a comma-separated option; none where it is not given.

    Raises:
        ValueError: it is given, and names nothing.
    """
    found = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    if given is not None and not found:
        raise ValueError(f"{given!r} names nothing; give names with commas, or leave it out")
    return found


def bundled_model() -> str:
    """The bundle's name, or "tiny" where the bundle is not installed."""
    from multimodal.files.bundled import MANIFEST
    from multimodal.generators.registry import find_model

    folder = find_model("default").folder
    return "default" if folder is not None and (folder / MANIFEST).is_file() else "tiny"


def load_editor(
    model: str = "default",
    device: str = "auto",
    encoder: str | None = None,
    clip: str | None = None,
) -> FaceEditor:
    """The editor of a named or stored model, with another encoder or CLIP where one is given."""
    from apps.threads import share_cores
    from multimodal import FaceEditor

    share_cores()
    parts = {name: part for name, part in (("encoder", encoder), ("clip", clip)) if part}
    return FaceEditor.from_pretrained(model, device=device, **parts)


def edit_face(
    editor: FaceEditor, face: Face, spec: EditSpec, on_step: OnStep | None = None
) -> EditResult:
    """Make the edit of a spec: a text, a sound, both, or a list of edits.

    Raises:
        ValueError: something in the spec that the model or the method does not know.
    """
    if spec.edits is not None:
        from guidance.controls.edits import EditList
        from multimodal.editing.editing import replay

        return replay(editor, face, EditList.load(spec.edits), on_step, spec.fidelity)
    sounds = [str(path) for path in spec.sounds]
    return editor.edit(
        face,
        text=spec.text,
        sound=sounds[0] if len(sounds) == 1 else sounds or None,
        mix=spec.mix,
        neutral=spec.neutral,
        method=spec.method,
        strength=spec.strength,
        keep=spec.keep,
        region=spec.region,
        mask=spec.mask,
        layers=spec.layers or None,
        seed=spec.seed,
        on_step=on_step,
        fidelity=spec.fidelity,
        **dict(spec.settings),
    )


def _digest(path: Path) -> str:
    return f"sha256:{sha256_of(path)}"
