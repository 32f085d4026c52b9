"""A face at every stroke: the nearest of some that wait, led towards the drawing by one look at it.

What is compared of the waiting faces is kept, so that a stroke costs one pass of the encoder and
one drawing. `draw_faces` goes on from there by a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal.editing.drawing.conditions import CONDITIONS
from multimodal.editing.editor import FaceEditor
from multimodal.images import to_pil
from multimodal.parsing.files import model_parser
from multimodal.parsing.parser import FaceParser

COUNT = 24
"""Faces that wait."""
TRUNCATION = 0.7
SEEN = 0.8
"""How far the nearest face is led to what the encoder sees in the drawing."""
KEPT_SIDE = 64
"""Side up to which what is compared is kept in full, in pixels."""


@dataclass(eq=False)
class QuickFaces:
    """Faces that wait for strokes.

    Args:
        editor: of the model that draws.
        seed: which faces.
    """

    editor: FaceEditor
    seed: int = 0

    def __post_init__(self) -> None:
        self._codes: Tensor | None = None
        self._pictures: list[Tensor] = []
        self._seen: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, image: Image.Image, condition: str) -> Image.Image:
        """The face for a drawing as it is; the first one of a kind takes some seconds.

        Args:
            image: a square drawing.
            condition: one of `CONDITIONS`.

        Raises:
            ValueError: an unknown condition, or nothing drawn.
        """
        if condition not in CONDITIONS:
            raise ValueError(f"condition {condition!r} is not one of {', '.join(CONDITIONS)}")
        kind, generator = CONDITIONS[condition], self.editor.generator
        parser = cast("FaceParser | None", self.editor.toolkit.parser)
        if kind.parses and parser is None:
            parser = model_parser("default", self.editor.device)
        drawn = kind.read(image, parser, generator.resolution)
        codes, pictures = self._waiting()
        if condition not in self._seen:
            parts = [_kept(drawn.seen(picture)) for picture in pictures]
            self._seen[condition] = torch.cat(parts)
        away = drawn.away(self._seen[condition])
        best = int(away.argmin())
        if self.editor.encoder is None:
            return to_pil(pictures[best])
        rough = F.interpolate(drawn.rough, (256, 256), mode="bilinear", antialias=True)
        seen = self.editor.encoder(rough.to(generator.device).clamp(-1, 1)).to(codes)
        led = generator.synthesize(drawn.led(codes[best][None], seen, SEEN))
        nearer = float(drawn.away(_kept(drawn.seen(led)))) < float(away[best])
        return to_pil(led if nearer else pictures[best])

    def _waiting(self) -> tuple[Tensor, list[Tensor]]:
        """Their codes `[N, L, D]`, and their pictures."""
        generator = self.editor.generator
        if self._codes is None:
            codes = self.editor.sampled(COUNT, self.seed, TRUNCATION).w
            self._pictures = [generator.synthesize(code[None]) for code in codes]
            self._codes = codes
        return self._codes, self._pictures


def _kept(seen: Tensor) -> Tensor:
    """What is compared, every so manieth pixel of it where it is large and has many planes."""
    step = max(1, seen.shape[-1] // KEPT_SIDE) if seen.shape[1] > 3 else 1
    return seen[..., step // 2 :: step, step // 2 :: step]
