"""What a drawing asks of a face, each as one small differentiable function.

A condition reads a picture that somebody drew, and says how far pictures `[B, 3, R, R]` in [-1, 1]
are from it. Another kind of drawing is one more entry in `CONDITIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal.images import load_image, to_tensor
from multimodal.parsing.classes import CLASSES, COLORS
from multimodal.parsing.parser import FaceParser

Features = Callable[[Tensor], Tensor]
"""Pictures `[B, 3, R, R]` to what a kind of drawing compares, the same for every drawing."""
Distance = Callable[[Tensor], Tensor]
"""Such features to how far each picture is from what was drawn, `[B]`."""
STROKES, LINES = 64, 128
"""Sides at which strokes of colour and lines are compared, in pixels."""
FAINT, CLEAR = 0.12, 0.25
"""Strengths of edges: from which one counts where lines are compared, and that of a drawn line."""
DRAWN = 0.4
"""Weight of lines without an edge beside that of edges that lie elsewhere."""
TOLD, FREE = 8.0, 0.3
"""How far about a line, in pixels, nothing but lines is drawn; and how much edges count beyond:
who draws no mouth does not ask for none."""
NEAR = 40
"""Levels from which a colour is not the paper's."""
LABEL_NEAR = 60.0
"""Distance in levels up to which a colour stands for a class."""
_RARE = 0.02
"""Share of the picture from which a class weighs like any other."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawing that was read.

    Args:
        seen: what it looks at in pictures.
        away: how far pictures are from it, by what is seen in them.
        rough: what it roughly looks like as a photo, `[1, 3, R, R]` in [-1, 1]: for an encoder.
        coloured: that photo's colours mean something.
    """

    seen: Features
    away: Distance
    rough: Tensor
    coloured: bool = True

    def led(self, codes: Tensor, seen: Tensor, share: float) -> Tensor:
        """Codes `[N, L, D]` led a share of the way to what an encoder sees in the drawing; where
        its colours mean nothing, the rows that colour stay."""
        wide = torch.full((codes.shape[1], 1), share).to(codes)
        if not self.coloured:
            wide[codes.shape[1] * 4 // 7 :] = 0
        return torch.lerp(codes, seen.expand_as(codes), wide)

    def distance(self, pictures: Tensor) -> Tensor:
        """How far each of some pictures `[B, 3, R, R]` is from it, `[B]`."""
        return self.away(self.seen(pictures))


@dataclass(frozen=True)
class Condition:
    """A kind of drawing.

    Args:
        about: one line for lists.
        read: makes a `Drawn` of a picture; a parser is there for those that need one.
        parses: it needs one.
    """

    about: str
    read: Callable[[Image.Image, FaceParser | None, int], Drawn]
    parses: bool = False


def strokes(image: Image.Image, parser: FaceParser | None, side: int) -> Drawn:
    """Strokes of colour on paper (the colour of most of the border), or on nothing (transparent).

    Raises:
        ValueError: nothing was drawn.
    """
    pixels, drawn = _inked(image)
    colour = to_tensor(Image.fromarray(pixels))
    mask = torch.from_numpy(drawn)[None, None].float()
    if not bool(mask.any()):
        raise ValueError("nothing is drawn: every pixel has the paper's colour")
    shares = _shrunk(mask, STROKES)
    target = _shrunk(colour * mask, STROKES) / shares.clamp_min(1e-3)
    weight = shares.square()

    def distance(seen: Tensor) -> Tensor:
        away = (seen - target.to(seen)).square().sum(1, keepdim=True).add(1e-4).sqrt()
        there = weight.to(seen)
        return (away * there).sum((1, 2, 3)) / there.sum()

    around = _blurred(_shrunk(colour * mask, side), side / 10)
    around = around / _blurred(_shrunk(mask, side), side / 10).clamp_min(1e-3)
    inked = _shrunk(mask, side)
    rough = torch.lerp(around.clamp(-1, 1), _shrunk(colour, side), inked)
    return Drawn(lambda pictures: _blurred(_shrunk(pictures, STROKES), 1.0), distance, rough)


def lines(image: Image.Image, parser: FaceParser | None, side: int) -> Drawn:
    """A sketch: lines on paper. Where it has lines a face should have edges, and elsewhere few.

    Raises:
        ValueError: nothing was drawn.
    """
    _, drawn = _inked(image)
    if not drawn.any():
        raise ValueError("nothing is drawn: every pixel has the paper's colour")
    ink = _shrunk(torch.from_numpy(drawn)[None, None].float(), LINES)
    ink = ink / ink.amax()
    wanted = [_unit(_blurred(ink, width)) for width in (1.0, 2.5, 6.0)]
    told = (_blurred(ink, TOLD) / _blurred(ink, TOLD).amax() * 3).clamp(FREE, 1)

    def distance(sizes: Tensor) -> Tensor:
        there = ink.to(sizes)
        found = (1 - torch.exp(-sizes / FAINT)) * told.to(sizes)
        away = [
            1 - (_unit(_blurred(found, width)) * one.to(found)).sum((1, 2, 3))
            for width, one in zip((1.0, 2.5, 6.0), wanted, strict=True)
        ]
        # An edge near each line shall be as clear as the line: else the face grows flat and pale.
        close = F.max_pool2d(sizes, 3, 1, 1) / CLEAR
        missing = ((1 - close).clamp_min(0) * there).sum((1, 2, 3)) / there.sum()
        return torch.stack(away).mean(0) + DRAWN * missing

    paper = F.interpolate(ink, (side, side), mode="bilinear", align_corners=False)
    return Drawn(edges, distance, (0.3 - 0.9 * paper).expand(1, 3, -1, -1), coloured=False)


def edges(pictures: Tensor) -> Tensor:
    """How strong the edges of pictures are `[B, 1, 128, 128]`: differences over four of 256 pixels,
    where black and white are 2 apart."""
    grey = _blurred(_shrunk(pictures.mean(1, keepdim=True), LINES), 1.0)
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    return F.pad((across.square() + down.square() + 1e-6).sqrt(), (1, 1, 1, 1))


def parts(image: Image.Image, parser: FaceParser | None, side: int) -> Drawn:
    """A map of parts: a palette or grey picture of the parser's numbers, as `semblance parse`
    writes, or its colours painted; what has no class's colour, or is transparent, is free.

    Raises:
        ValueError: no parser, or no class in the picture.
    """
    if parser is None:
        raise ValueError("a map of parts needs a model with a parser")
    numbers = read_parts(image)
    at = ((np.arange(parser.side) + 0.5) / parser.side)[:, None] * np.array(numbers.shape)
    rows, columns = at.astype(int).T
    target = torch.from_numpy(numbers[np.ix_(rows, columns)].astype(np.int64))[None]
    there = target >= 0
    counts = torch.bincount(target[there], minlength=len(CLASSES)).float()
    weight = (counts > 0) / (counts / counts.sum()).clamp_min(_RARE)

    def logits(pictures: Tensor) -> Tensor:
        where = next(parser.network.parameters())
        small = pictures.to(where).clamp(-1.05, 1.05)
        if small.shape[-1] != parser.side:
            small = F.interpolate(small, (parser.side,) * 2, mode="bilinear", antialias=True)
        found: Tensor = parser.network(small).float()
        return found

    def distance(found: Tensor) -> Tensor:
        step = parser.side // found.shape[-1]  # they may have been kept smaller
        at = slice(step // 2, None, step)
        heavy, here = weight.to(found), there[:, at, at].to(found.device)
        wanted = target[:, at, at].clamp_min(0).to(found.device).expand(len(found), -1, -1)
        each = F.cross_entropy(found, wanted, heavy, reduction="none") * here
        return each.sum((1, 2)) / (heavy[wanted] * here).sum((1, 2)).clamp_min(1e-6)

    return Drawn(logits, distance, _shrunk(_looks(numbers), side))


def read_parts(image: Image.Image) -> np.ndarray:
    """A picture of parts as numbers `[H, W]` of `CLASSES`, int16; -1 where nothing is said.

    Raises:
        ValueError: no class in it.
    """
    values = np.asarray(image)
    if image.mode in ("P", "L", "I;16") and values.max(initial=0) < len(CLASSES):
        return values.astype(np.int16)
    pixels = np.asarray(image.convert("RGBA"), np.float32)
    away = np.stack([np.linalg.norm(pixels[..., :3] - c, axis=-1) for c in COLORS], axis=-1)
    numbers = away.argmin(axis=-1).astype(np.int16)
    numbers[(away.min(axis=-1) > LABEL_NEAR) | (pixels[..., 3] < 128)] = -1
    if (numbers < 0).all():
        raise ValueError("no part of a face has the colours of this picture: see docs/parsing.md")
    return numbers


CONDITIONS: Mapping[str, Condition] = {
    "scribble": Condition("strokes of colour: what is painted keeps its colour", strokes),
    "sketch": Condition("lines: a face whose edges lie where they are", lines),
    "labels": Condition(
        "a map of parts: hair, skin, eyes, ... where they are painted", parts, True
    ),
}
"""Every kind of drawing by name."""

_LOOKS: Mapping[str, tuple[int, int, int]] = {
    "skin": (205, 160, 135),
    "hair": (70, 50, 40),
    "brows": (80, 60, 50),
    "eyes": (235, 230, 225),
    "iris": (70, 60, 60),
    "nose": (205, 155, 130),
    "lips": (185, 100, 95),
    "mouth": (80, 30, 30),
    "teeth": (235, 230, 220),
    "ears": (195, 145, 120),
    "neck": (190, 145, 120),
    "glasses": (40, 40, 40),
    "beard": (80, 60, 50),
    "hat": (60, 60, 80),
    "clothes": (70, 80, 110),
}


def _looks(numbers: np.ndarray) -> Tensor:
    """What parts roughly look like in photos, `[1, 3, H, W]`."""
    table = np.array([_LOOKS.get(name, (150, 150, 150)) for name in CLASSES], np.uint8)
    return to_tensor(Image.fromarray(table[numbers.clip(0)]))


def _inked(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """A drawing's colours `[H, W, 3]`, and where something is drawn `[H, W]`."""
    if "A" in image.getbands() or "transparency" in image.info:
        pixels = np.asarray(image.convert("RGBA"))
        if pixels[..., 3].min() < 128:
            return np.ascontiguousarray(pixels[..., :3]), pixels[..., 3] >= 128
    found = np.asarray(load_image(image))
    border = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    paper = np.median(border, axis=0)
    return found, np.abs(found.astype(np.float32) - paper).max(axis=-1) > NEAR


def _shrunk(pictures: Tensor, side: int) -> Tensor:
    size = (side, side)
    if pictures.shape[-2:] == size:
        return pictures
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)


def _blurred(pictures: Tensor, width: float) -> Tensor:
    """Through a Gaussian of a standard deviation in pixels; borders go on as they are."""
    reach = max(1, min(int(2.5 * width), min(pictures.shape[-2:]) - 1))
    line = torch.arange(-reach, reach + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (line / width).square())
    kernel = (kernel / kernel.sum()).expand(pictures.shape[1], 1, 1, -1)
    padded = F.pad(pictures, (reach,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel, groups=pictures.shape[1])
    return F.conv2d(across, kernel.transpose(2, 3), groups=pictures.shape[1])


def _unit(planes: Tensor) -> Tensor:
    return planes / planes.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None, None]
