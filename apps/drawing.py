"""What single families of generators can beside a code: a class to draw, a picture to be moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

    from multimodal import FaceEditor
    from multimodal.types import Generator, Latent

_CLASS_HELP = "Draw this class: a number, or ImageNet's name for it (BigGAN)."


@dataclass(frozen=True)
class Motion:
    """A turn and a shift of the whole picture, which StyleGAN3 makes without loss."""

    rotate: Annotated[
        float, typer.Option(min=-180, max=180, help="Turn by so many degrees (StyleGAN3).")
    ] = 0.0
    shift_x: Annotated[
        float, typer.Option(min=-1, max=1, help="Move to the right, in pictures (StyleGAN3).")
    ] = 0.0
    shift_y: Annotated[
        float, typer.Option(min=-1, max=1, help="Move down, in pictures (StyleGAN3).")
    ] = 0.0

    @property
    def still(self) -> bool:
        """Does it leave everything where it is?"""
        return not (self.rotate or self.shift_x or self.shift_y)


@dataclass(frozen=True)
class Kind:
    """What is drawn, where a generator knows classes or looks."""

    label: Annotated[str | None, typer.Option("--class", help=_CLASS_HELP)] = None
    look: Annotated[
        str | None,
        typer.Option(help="photo or render; photographs where the model knows them."),
    ] = None


def sampled(editor: FaceEditor, count: int, seed: int, truncation: float, kind: Kind) -> Latent:
    """Random codes, of a class and a look where they are given.

    Raises:
        ValueError: a class or a look where the model has none, or an unknown one.
    """
    from multimodal.latents import require_space

    generator = editor.generator
    if kind.label is not None:
        require_space(generator, "class", "--class")
        generator.choose(kind.label)  # type: ignore[attr-defined]
    if isinstance(getattr(generator, "truncation", None), float):
        generator.truncation = max(truncation, 0.02)  # type: ignore[attr-defined]
    return editor.sampled(count, seed, truncation, kind.look)


def draw(generator: Generator, codes: Tensor, motion: Motion) -> Tensor:
    """Pictures `[B, 3, R, R]` of codes `[B, L, D]`, moved.

    Raises:
        ValueError: a motion that the family cannot make.
    """
    if motion.still:
        return generator.synthesize(codes)
    moved = getattr(generator, "moved", None)
    if moved is None:
        family = getattr(generator, "family", "this generator")
        raise ValueError(f"turning and shifting need a StyleGAN3; this is a {family}")
    styles = moved(codes, motion.rotate, motion.shift_x, motion.shift_y)
    return generator.synthesize_styles(styles)
