"""`FaceEditor`: invert a face once, edit it often.

Knows protocols only; `multimodal.editing.assemble` puts concrete parts together for
`from_pretrained`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from multimodal.editing.finishing import PHOTO, Finished, Finishing
from multimodal.editing.fitting import check_code
from multimodal.faces.native import MOST, native_crop
from multimodal.generators.photo_codes import PhotoCodes, sampled_as
from multimodal.images import ImageSource, load_image, resize, to_pil
from multimodal.inversion import invert, tuned_generator
from multimodal.meant import Meant
from multimodal.types import (
    Aligned,
    EditResult,
    Encoder,
    Face,
    Generator,
    Latent,
    Offset,
    OnStep,
    Toolkit,
)

KEPT_TUNED = 2
"""Tuned generators kept at a time."""


class Aligner(Protocol):
    """Finds faces in photos and puts them back."""

    def align(self, photo: Image.Image, size: int, face_index: int | None = None, /) -> Aligned:
        """The largest face, or the one of that index, as a crop of `size` pixels a side."""
        ...

    def paste(
        self, photo: Image.Image, crop: Image.Image, transform: Any, original: Image.Image, /
    ) -> Image.Image:
        """The photo with what `crop` changed from `original` moved back into its place."""
        ...


@dataclass(eq=False)
class FaceEditor:
    """Inverts faces, edits them, draws them and pastes them back.

    Args:
        toolkit: generator, CLIP and the other networks.
        encoder: feed-forward inversion, or None.
        aligner: finds faces in photos, or None: pictures are then taken as already aligned.
        directions: named offsets for sliders ("age", "smile", ...).
        name: of the model, for reports.
        photographs: where the model draws photographs, or None: it has one look.
    """

    toolkit: Toolkit
    encoder: Encoder | None = None
    aligner: Aligner | None = None
    directions: Mapping[str, Offset] = field(default_factory=dict)
    name: str = ""
    photographs: PhotoCodes | None = None
    _tuned: list[tuple[Mapping[str, Tensor], Generator]] = field(default_factory=list, repr=False)
    _finishing: Finishing = field(default_factory=Finishing, repr=False)

    @classmethod
    def from_pretrained(
        cls, name: str | Path = "default", device: str | torch.device = "auto", **parts: Any
    ) -> FaceEditor:
        """A ready editor.

        Args:
            name: a model's name ("default", "tiny", "ffhq-256", ...), a model folder, or a
                generator file (NVlabs `.pkl`, rosinality `.pt`, `.safetensors`).
            device: "auto" (cuda, mps, cpu) or a torch device.
            parts: `encoder=`, `clip=`, `identity=` by name or path: see
                `multimodal.editing.assemble`.

        Raises:
            FileNotFoundError: no such model or file.
            ValueError: a file that cannot be used; says why.
        """
        from multimodal.editing.assemble import assemble

        return cls(**vars(assemble(name, device, **parts)))

    @property
    def generator(self) -> Generator:
        """What draws faces (without anybody's tuning)."""
        return self.toolkit.generator

    @property
    def device(self) -> torch.device:
        """Where the work is done."""
        return self.generator.device

    def invert(
        self,
        image: ImageSource | os.PathLike[str],
        method: str = "hybrid",
        on_step: OnStep | None = None,
        face_index: int | None = None,
        *,
        aligned: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> Face:
        """Find a face in a photo, and its code.

        Args:
            image: path, encoded bytes, PIL image or array.
            method: one of `multimodal.inversion.METHODS`.
            on_step: told of every step.
            face_index: which face, from 0, largest first; None takes the largest.
            aligned: the picture is an FFHQ-aligned crop already; only this says so.
            seed: everything random follows from it.
            options: of the method.

        Returns:
            the face, ready to be edited.

        Raises:
            ValueError: no picture, no face, an unknown method or option.
        """
        photo = load_image(image if isinstance(image, Image.Image) else _source(image))
        cut = self._cut(photo, face_index, aligned)
        side = self.generator.resolution
        found = invert(
            self.generator,
            cut.image,
            method,
            on_step,
            encoder=self.encoder,
            perceptual=self.toolkit.lpips,
            identity=self.toolkit.identity,
            seed=seed,
            **options,
        )
        return Face(
            latent=found.latent,
            aligned=cut.image,
            transform=cut.transform,
            photo=None if cut.transform is None else photo,
            tuned=found.tuned,
            landmarks=cut.landmarks,
            report={**found.report, **cut.about, "model": Path(self.name).name},
            crop=_own_crop(photo, cut.transform, side),
        )

    @torch.no_grad()
    def draw(self, face: Face, latent: Latent | None = None) -> Tensor:
        """The picture `[1, 3, R, R]` of a face, or of another code of it, in [-1, 1] nominally."""
        latent = (face.latent if latent is None else latent).to(self.device)
        generator, noise = self.generator_for(face), latent.noise
        if latent.styles is not None:
            return generator.synthesize_styles(latent.styles, "const" if noise is None else noise)
        return generator.synthesize(latent.w, "const" if noise is None else noise)

    def reconstruct(self, face: Face) -> Image.Image:
        """What the generator draws at the face's code."""
        return to_pil(self.draw(face))

    def finish(
        self,
        face: Face,
        drawn: Tensor,
        fidelity: str = PHOTO,
        meant: tuple[Meant, ...] = (),
    ) -> Finished:
        """The pictures a person gets of a face that was drawn edited.

        Args:
            face: what was edited.
            drawn: `[1, 3, R, R]` in [-1, 1] nominally.
            fidelity: "photo": where the face came from a photo, that photo with the change in it,
                at its own resolution; "drawing": what the generator draws.
            meant: what the words of the edit said (`Latent.meant`), for what the drawing does not.

        Raises:
            ValueError: another fidelity.
        """
        return self._finishing(self, face, drawn, fidelity, meant)

    def photo(
        self, face: Face, image: Image.Image, rest: Image.Image | None = None
    ) -> Image.Image | None:
        """The whole photo with a drawn face in its place, or None where there is no photo.

        Args:
            face: knows the photo.
            image: the edited face.
            rest: the face as it is drawn unedited, or None: the face's reconstruction. What `image`
                has in common with it leaves the photo as it is.
        """
        if face.photo is None or face.transform is None or self.aligner is None:
            return None
        before = rest or self.reconstruct(face)
        return self.aligner.paste(face.photo, image, face.transform, before)

    def sample(self, seed: int = 0, truncation: float = 0.7, look: str | None = None) -> Face:
        """A face that nobody has.

        Args:
            seed: the same seed gives the same face.
            truncation: 1 is all variety, 0 the average.
            look: "photo" or "render"; None means a photograph where the model can.

        Raises:
            ValueError: another look, or one that this model has not.
        """
        latent = self.sampled(1, seed, truncation, look)
        face = Face(latent, Image.new("RGB", (self.generator.resolution,) * 2))
        return replace(face, aligned=self.reconstruct(face), report={"seed": seed})

    def sampled(
        self, count: int, seed: int, truncation: float = 0.7, look: str | None = None
    ) -> Latent:
        """Codes of faces that nobody has, `[count, L, D]`; see `sample`."""
        return sampled_as(look, self.generator, self.photographs, count, seed, truncation)

    def generator_for(self, face: Face) -> Generator:
        """The generator with this face's own weights, where pivotal tuning made some.

        Raises:
            ValueError: the face is one of another model.
        """
        check_code(self.generator, face.latent)
        if not face.tuned:
            return self.generator
        for weights, generator in self._tuned:
            if weights is face.tuned:
                return generator
        generator = tuned_generator(self.generator, face.tuned)
        self._tuned = [*self._tuned[1 - KEPT_TUNED :], (face.tuned, generator)]
        return generator

    def embed(self, text: str | None = None, sound: Any = None, **options: Any) -> Tensor:
        """What is wanted as a unit embedding `[1, E]`, see `multimodal.editing.editing.embed`."""
        from multimodal.editing import editing

        return editing.embed(self, text, sound, **options)

    def edit(
        self,
        face: Face,
        text: str | None = None,
        sound: Any = None,
        method: str = "auto",
        strength: float = 1.0,
        keep: Sequence[str] = (),
        on_step: OnStep | None = None,
        **options: Any,
    ) -> EditResult:
        """Change a face by words, a sound or both, see `multimodal.editing.editing.edit`."""
        from multimodal.editing import editing

        return editing.edit(
            self,
            face,
            text=text,
            sound=sound,
            method=method,
            strength=strength,
            keep=keep,
            on_step=on_step,
            **options,
        )

    def apply(
        self, face: Face, offset: Offset, strength: float = 1.0, **options: Any
    ) -> Image.Image:
        """The face with an offset at a strength: one synthesis."""
        from multimodal.editing import editing

        return editing.apply(self, face, offset, strength, **options)

    def generate(self, text: str, seed: int = 0, **options: Any) -> Face:
        """A new face for a caption, see `multimodal.editing.drawing.captioned.generate`."""
        from multimodal.editing.drawing import captioned

        return captioned.generate(self, text, seed, **options)

    def _cut(self, photo: Image.Image, face_index: int | None, aligned: bool) -> Aligned:
        side = self.generator.resolution
        if aligned or self.aligner is None:
            return Aligned(resize(_square(photo), side), None)
        return self.aligner.align(photo, side, face_index)


def _source(image: Any) -> Any:
    return Path(image) if isinstance(image, os.PathLike) else image


def _own_crop(photo: Image.Image, transform: Any, side: int) -> Image.Image:
    """The face as the photo has it, at least `side` pixels a side."""
    if transform is not None:
        return native_crop(photo, transform, side)
    square = _square(photo)
    return resize(square, min(max(square.width, side), MOST))


def _square(image: Image.Image) -> Image.Image:
    """The middle square."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
