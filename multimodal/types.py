"""The nouns of Semblance and the small protocols its parts agree on.

Everything here is plain data or a `Protocol`: no algorithm, no file format, no
framework of ours. `editor.py` and `guidance/` depend on this file only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from multimodal.meant import Meant

if TYPE_CHECKING:
    from PIL.Image import Image

NoiseMode = Literal["const", "none", "random"]


@dataclass(frozen=True)
class Progress:
    """One step of long work, handed to an `on_step` callback.

    Args:
        step: steps done so far, 1-based.
        total: steps planned (early stopping may end sooner).
        losses: named scalar terms of this step.
        message: something the person should know ("restarted with a smaller step").
    """

    step: int
    total: int
    losses: Mapping[str, float] = field(default_factory=dict)
    message: str = ""


OnStep = Callable[[Progress], None]


@dataclass(frozen=True)
class Latent:
    """A point (or a batch of points) the generator can draw.

    Args:
        w: extended intermediate code W+, `[B, L, D]`.
        styles: S-space codes, network order, toRGB included, each `[B, C_i]`; when given they
            win over `w` (an edit in S has no exact W+).
        noise: per-layer noise maps, each `[1, 1, H, W]`, when an inversion optimised them.
        meant: what the words said by which it was edited.
    """

    w: Tensor
    styles: tuple[Tensor, ...] | None = None
    noise: tuple[Tensor, ...] | None = None
    meant: tuple[Meant, ...] = ()

    def to(self, device: torch.device | str) -> Latent:
        """The same latent on another device."""
        styles, noise = _to_all(self.styles, device), _to_all(self.noise, device)
        return Latent(self.w.to(device), styles, noise, self.meant)


@dataclass(frozen=True)
class Offset:
    """A direction of change: the edit is `latent + strength * offset`.

    Args:
        w: change in W+, `[1, L, D]` (or `[B, L, D]`), or None.
        styles: change in S, network order, each `[1, C_i]`, or None.
        meant: what the words said that it was made for.
    """

    w: Tensor | None = None
    styles: tuple[Tensor, ...] | None = None
    meant: tuple[Meant, ...] = ()

    def scaled(self, strength: float) -> Offset:
        """This offset times `strength` (any real number)."""
        styles = None if self.styles is None else tuple(s * strength for s in self.styles)
        meant = tuple(replace(one, amount=one.amount * strength) for one in self.meant)
        return Offset(None if self.w is None else self.w * strength, styles, meant)

    def to(self, device: torch.device | str) -> Offset:
        """The same offset on another device."""
        w = None if self.w is None else self.w.to(device)
        return Offset(w, _to_all(self.styles, device), self.meant)


@dataclass(frozen=True)
class Aligned:
    """A face cut out of a photo.

    Args:
        image: the crop, FFHQ-aligned.
        transform: where it lies in the photo.
        landmarks: 68 points `[68, 2]` in pixels of the crop, or None.
        about: how it was found, for reports: `faces` (how many there are), `face` (which this is),
            `certainty`, `pixels` (its width in the photo).
    """

    image: Image
    transform: Any
    landmarks: Tensor | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Face:
    """A face that was inverted once and can be edited often.

    Args:
        latent: its code, batch 1.
        aligned: the FFHQ-aligned crop that was inverted.
        transform: where the crop lies in `photo` (`multimodal.faces.FaceTransform`), or None
            when there is no photo (a sampled face, an already aligned crop).
        photo: the whole picture the face came from, or None.
        tuned: generator weights changed by pivotal tuning, by state-dict key, or None.
        landmarks: 68 points `[68, 2]` in pixels of `aligned`, or None.
        report: measured inversion quality and cost (`lpips`, `psnr`, `identity`, `seconds`).
        crop: the same crop at the photo's own resolution, or None where there is no photograph
            (a sampled face).
        rest: the code that the photo was inverted to, where `latent` has edits already; None
            where `latent` is that code.
    """

    latent: Latent
    aligned: Image
    transform: Any | None = None
    photo: Image | None = None
    tuned: Mapping[str, Tensor] | None = None
    landmarks: Tensor | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    crop: Image | None = None
    rest: Latent | None = None

    def with_latent(self, latent: Latent) -> Face:
        """The same face with another code; its photo stays that of the first one."""
        return replace(self, latent=latent, rest=self.rest or self.latent)

    def save(self, path: str | Path) -> Path:
        """Write everything to one `.safetensors`, see `multimodal.files.face_files`."""
        from multimodal.files.face_files import FaceRecord, write_face

        code = vars(self.latent)
        others = {k: v for k, v in vars(self).items() if k not in ("latent", "rest")}
        if self.rest is not None:
            others |= {"rest": self.rest.w, "rest_styles": self.rest.styles}
        return write_face(FaceRecord(**code, **others), path)

    @staticmethod
    def load(path: str | Path) -> Face:
        """Read what `save` wrote; the file may come from anybody."""
        from multimodal.files.face_files import read_face

        found = dict(vars(read_face(path)))
        code = {name: found.pop(name) for name in ("w", "styles", "noise", "meant")}
        w, styles = found.pop("rest"), found.pop("rest_styles")
        rest = None if w is None else Latent(w, styles, code["noise"])
        return Face(Latent(**code), **found, rest=rest)


@dataclass(frozen=True)
class EditResult:
    """What an edit returns.

    Args:
        before: the aligned face: the photo's own crop, or its drawing (`fidelity="drawing"`, or
            a face that has no photo).
        after: the edited aligned face, likewise.
        photo: the whole photo with the edited face, or None without a photo.
        latent: the edited code.
        offset: the direction at strength 1.
        scores: named figures (CLIP similarity to the target, identity kept, seconds, ...).
        notes: what a person should know: how the words were understood, what was not.
    """

    before: Image
    after: Image
    photo: Image | None
    latent: Latent
    offset: Offset
    scores: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class Generator(Protocol):
    """What the rest of the program may ask of a generator."""

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        ...

    @property
    def num_layers(self) -> int:
        """Rows L of a W+ code."""
        ...

    @property
    def style_dim(self) -> int:
        """Size D of a row."""
        ...

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        ...

    def mapping(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Noise `[B, z_dim]` to w_plus `[B, L, D]`."""
        ...

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """w_plus `[B, L, D]` to pictures `[B, 3, R, R]`, nominally in [-1, 1]."""
        ...

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """S-space codes of w_plus, each `[B, C_i]`, network order."""
        ...

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """S-space codes to pictures `[B, 3, R, R]`."""
        ...

    def sample(self, n: int, seed: int, truncation: float = 0.7) -> Latent:
        """Random codes; the same seed gives the same."""
        ...


class Encoder(Protocol):
    """Images `[B, 3, 256, 256]` in [-1, 1] to w_plus `[B, L, D]`."""

    def __call__(self, images: Tensor) -> Tensor: ...


class ClipModel(Protocol):
    """One joint embedding space for pictures and words.

    `encode_image` takes `[B, 3, H, W]` in [-1, 1] (any size; resized and normalised inside) and is
    differentiable; `encode_text` takes strings. Both return unit vectors `[B, E]`.
    """

    @property
    def dim(self) -> int:
        """Size E of an embedding."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        ...

    def encode_image(self, images: Tensor) -> Tensor:
        """Pictures `[B, 3, H, W]` in [-1, 1] to unit vectors `[B, E]`."""
        ...

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Texts to unit vectors `[B, E]`."""
        ...


class SoundEmbedder(Protocol):
    """Sounds to unit vectors `[1, E]` in the same space as a `ClipModel`."""

    def embed(self, sound: Any) -> Tensor:
        """A sound to a unit vector `[1, E]`."""
        ...


ImageEmbedder = Callable[[Tensor], Tensor]
"""Aligned faces `[B, 3, H, W]` in [-1, 1] to unit identity vectors `[B, K]`, differentiable."""

ImageDistance = Callable[[Tensor, Tensor], Tensor]
"""Two batches `[B, 3, H, W]` in [-1, 1] to distances `[B]`, differentiable (LPIPS)."""


@dataclass(frozen=True)
class EditRequest:
    """One edit to be worked out by a `Guidance`.

    Args:
        latent: the face, batch 1.
        target: unit embedding `[1, E]` of what is wanted.
        neutral: unit embedding `[1, E]` of what the face is now ("a face").
        text: the words, where words were given (methods that read captions need them).
        seed: everything random in the method follows from it.
        options: a method's own settings; unknown names are refused by the method.
        beside: unit embedding `[1, E]` of a sound that is wanted beside the words, or None.
        mix: its share of `target`, in 0..1.
        photo: a photo is edited, into which colours can be painted that no code holds.
    """

    latent: Latent
    target: Tensor
    neutral: Tensor
    text: str | None = None
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: Tensor | None = None
    mix: float = 0.0
    photo: bool = False


class Guidance(Protocol):
    """A method that turns a target into a latent offset."""

    name: str

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The change of the latent that the request asks for, at strength 1."""
        ...


@runtime_checkable
class Reading(Protocol):
    """A method that reads words itself, and says how it understood them."""

    def notes(self, request: EditRequest) -> tuple[str, ...]:
        """What a person should know: what was understood, what was not."""
        ...

    def check(self, text: str, photo: bool = False) -> None:
        """Raise `ValueError` where a text means nothing to this model."""
        ...


class RegionParser(Protocol):
    """Tells the parts of aligned faces apart, as `multimodal.parsing.FaceParser` does."""

    def mask(self, crops: Tensor, names: Sequence[str]) -> Tensor:
        """Where pictures `[B, 3, H, W]` in [-1, 1] show any of these: `[B, 1, H, W]` in [0, 1]."""


@dataclass(frozen=True)
class Toolkit:
    """The concrete parts a guidance method may use; assembled by the apps and `from_pretrained`.

    Args:
        generator: draws pictures.
        clip: judges pictures against words.
        identity: who is it, or None.
        lpips: perceptual distance, or None.
        sound: hears, or None.
        folder: where this model's cached statistics and extra networks live, or None.
        own: where what people make for this model is kept, where `folder` is a shipped model's.
        parser: tells the parts of a face apart, or None.
        encoder: reads codes off pictures, or None.
    """

    generator: Generator
    clip: ClipModel
    identity: ImageEmbedder | None = None
    lpips: ImageDistance | None = None
    sound: SoundEmbedder | None = None
    folder: Any | None = None
    own: Any | None = None
    parser: RegionParser | None = None
    encoder: Encoder | None = None


def _to_all(
    tensors: tuple[Tensor, ...] | None, device: torch.device | str
) -> tuple[Tensor, ...] | None:
    return None if tensors is None else tuple(t.to(device) for t in tensors)


def check_seed(seed: int) -> int:
    """A seed that random numbers can follow from.

    Raises:
        ValueError: it is not a whole number of 64 bits.
    """
    if type(seed) is not int or not -(2**63) <= seed < 2**63:
        shown = f"{seed!r:.40}" if not isinstance(seed, int) else f"of {seed.bit_length()} bits"
        raise ValueError(f"the seed {shown} is not a whole number of 64 bits")
    return seed


def check_text(text: str | None, what: str = "the text") -> str | None:
    """Words that can be written down.

    Raises:
        ValueError: it holds halves of characters, as bytes that are no UTF-8 become.
    """
    if text is not None and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError(f"{what} holds bytes that are no text (it is not UTF-8)")
    return text
