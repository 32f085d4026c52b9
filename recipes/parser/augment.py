"""Variation for the parser: other colours, hats, backgrounds, places, cameras. Numpy, one picture.

Pictures are float32 `[S, S, 3]` in [0, 1], their labels sets `[S, S]` (`recipes.parser.partial`).
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from recipes.parser.partial import ALL, Sets, bits

Picture = NDArray[Any]
_HAIR, _HAT, _BACK = bits("hair"), bits("hat"), bits("background")
_WORN = bits("hat", "clothes", "glasses")


def dress(picture: Picture, sets: Sets, source: np.random.Generator) -> tuple[Picture, Sets]:
    """Other colours of a render's hair and clothes, headgear made of its hair, a background."""
    picture, sets = picture.copy(), sets.copy()
    if source.random() < 0.3:
        _cover_head(picture, sets, source)
    for part, chance in ((_HAIR, 0.4), (bits("clothes"), 0.5), (_HAT, 0.6), (bits("beard"), 0.2)):
        if source.random() < chance:
            _dye(picture, sets == part, source, patterned=part in (_HAT, bits("clothes")))
    if source.random() < 0.4:
        skin = np.isin(sets, [bits(n) for n in ("skin", "nose", "ears", "neck")])
        tone = source.uniform(0.75, 1.2) * (1 + source.normal(0, 0.06, 3))
        picture[skin] = np.clip(picture[skin] ** source.uniform(0.8, 1.35) * tone, 0, 1)
    return picture, sets


def before(picture: Picture, sets: Sets, back: Picture, source: np.random.Generator) -> Picture:
    """A render's head before another background."""
    soft = _blurred((sets == _BACK).astype(np.float32)[..., None], 1)
    if source.random() < 0.5:
        back = _blurred(back, int(source.integers(2, 9)))
    return picture + soft * (back - picture)


def texture(side: int, source: np.random.Generator) -> Picture:
    """A random pattern: clouds of colours in some grain, stripes at times."""
    cells = int(source.choice([2, 4, 8, 16, 32, 64]))
    coarse = source.random((cells, cells, 3)).astype(np.float32)
    if source.random() < 0.5:
        coarse = coarse.mean(-1, keepdims=True) + 0.25 * (coarse - 0.5)
    image = Image.fromarray((np.clip(coarse, 0, 1) * 255).astype(np.uint8))
    way = Image.Resampling.NEAREST if source.random() < 0.25 else Image.Resampling.BICUBIC
    out = np.asarray(image.resize((side, side), way), np.float32) / 255
    if source.random() < 0.3:
        turn, rate = source.uniform(0, np.pi), source.uniform(0.05, 0.8)
        y, x = np.mgrid[0:side, 0:side]
        wave = 0.5 + 0.5 * np.sin(rate * (x * np.cos(turn) + y * np.sin(turn)))
        out = out * (0.6 + 0.4 * wave[..., None])
    mean = out.mean()
    return np.clip((out - mean) * source.uniform(0.2, 1.2) + source.uniform(0.1, 0.9), 0, 1)


def occlude(picture: Picture, sets: Sets, source: np.random.Generator) -> tuple[Picture, Sets]:
    """Something unknown before the face: whatever it is, no class is asked of it."""
    side = sets.shape[0]
    y, x = np.mgrid[0:side, 0:side] / side
    at, size, turn = (
        source.uniform(0.1, 0.9, 2),
        source.uniform(0.05, 0.22, 2),
        source.uniform(0, 3),
    )
    u = (x - at[0]) * np.cos(turn) + (y - at[1]) * np.sin(turn)
    v = (y - at[1]) * np.cos(turn) - (x - at[0]) * np.sin(turn)
    inside = (np.abs(u / size[0]) ** 3 + np.abs(v / size[1]) ** 3) < 1
    picture, sets = picture.copy(), sets.copy()
    picture[inside] = texture(side, source)[inside]
    sets[inside] = ALL
    return picture, sets


def placed(
    picture: Picture, sets: Sets, side: int, source: np.random.Generator
) -> tuple[Picture, Sets]:
    """Mirrored, turned, scaled and moved, at another size; what comes from outside has all bits."""
    turn = np.radians(np.clip(source.normal(0, 9), -30, 30))
    scale = np.exp(source.uniform(-0.3, 0.32))
    flip = -1.0 if source.random() < 0.5 else 1.0
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    move = source.normal(0, 0.08, 2)
    matrix = torch.tensor([[[c * flip, -s, move[0]], [s * flip, c, move[1]]]], dtype=torch.float32)
    grid = F.affine_grid(matrix, [1, 1, side, side], align_corners=False)
    image = torch.from_numpy(picture).permute(2, 0, 1)[None]
    drawn = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
    codes = torch.from_numpy(sets.astype(np.float32))[None, None] - ALL  # zero is outside's
    moved = F.grid_sample(codes, grid, mode="nearest", align_corners=False) + ALL
    return drawn[0].permute(1, 2, 0).numpy(), moved[0, 0].numpy().astype(np.uint16)


def photographed(picture: Picture, source: np.random.Generator) -> Picture:
    """Light, colour, blur, grain and compression of cameras."""
    out = np.clip(picture, 0, 1) ** np.float32(np.exp(source.normal(0, 0.28)))
    middle = out.mean((0, 1))
    out = (out - middle) * np.float32(np.exp(source.normal(0, 0.2))) + middle
    out = out * np.exp(source.normal(0, 0.09, 3)).astype(np.float32)
    grey = out.mean(-1, keepdims=True)
    colour = 0.0 if source.random() < 0.1 else np.exp(source.normal(0, 0.25))
    out = grey + (out - grey) * np.float32(colour)
    if source.random() < 0.3:
        ramp = np.linspace(-1, 1, out.shape[1], dtype=np.float32) * np.float32(
            source.normal(0, 0.3)
        )
        out = out * np.exp(ramp if source.random() < 0.5 else ramp[:, None])[..., None]
    if source.random() < 0.4:
        out = _blurred(out, int(source.integers(1, 3)))
    if source.random() < 0.2:
        out = _small(out, source.uniform(0.3, 0.8))
    if source.random() < 0.5:
        grain = source.normal(0, source.uniform(0.005, 0.06), (*out.shape[:2], 1))
        out = out + grain.astype(np.float32)
    out = np.clip(out, 0, 1).astype(np.float32)
    return _compressed(out, int(source.integers(25, 90))) if source.random() < 0.3 else out


def _cover_head(picture: Picture, sets: Sets, source: np.random.Generator) -> None:
    """Headgear where hair is: a scarf of all of it, or a cap of what is above a line."""
    hair = sets == _HAIR
    if hair.sum() < 0.02 * hair.size:
        return
    where = hair | ((sets == bits("ears")) & bool(source.random() < 0.7))
    if source.random() < 0.6:
        where = _cap(sets, hair, source)
    elif source.random() < 0.6:  # a scarf that goes round the neck
        where |= sets == bits("neck")
    _dye(picture, where, source, patterned=True)
    sets[where] = _HAT


def _cap(sets: Sets, hair: NDArray[np.bool_], source: np.random.Generator) -> NDArray[np.bool_]:
    """What is above a line over the forehead, at times with a higher crown or with a brim."""
    side = len(hair)
    y, x = np.mgrid[0:side, 0:side] / side
    head = hair | np.isin(sets, [bits("skin"), bits("ears")])
    line = source.uniform(0.2, 0.38) + source.normal(0, 0.12) * (x - 0.5)
    where = head & (y < line)
    if not where.any():
        return hair
    if source.random() < 0.5:  # higher than the hair
        up = int(source.integers(1, max(side // 8, 2)))
        for step in range(1, up + 1, 2):
            where[:-step] |= where[step:]
    if source.random() < 0.5:  # a brim
        columns = np.nonzero(where.any(0))[0] / side
        middle, half = columns.mean(), (columns[-1] - columns[0]) / 2
        wide, high = half * source.uniform(0.9, 1.6), source.uniform(0.02, 0.08)
        where |= ((x - middle - source.normal(0, 0.1 * half)) / wide) ** 2 + (
            (y - line) / high
        ) ** 2 < 1
    return where


def _dye(
    picture: Picture, where: NDArray[np.bool_], source: np.random.Generator, patterned: bool
) -> None:
    if not where.any():
        return
    light = picture[where].mean(-1, keepdims=True)
    colour = source.uniform(0.03, 1.0) * (1 + source.uniform(0, 0.8) * source.normal(0, 0.6, 3))
    shade = (light / (light.mean() + 1e-3)) ** source.uniform(0.3, 1.0)
    if patterned and source.random() < 0.6:
        colour = texture(len(where), source)[where]
    picture[where] = np.clip(shade * colour, 0, 1)


def _blurred(picture: Picture, radius: int) -> Picture:
    levels = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)
    out = np.asarray(image.filter(ImageFilter.BoxBlur(radius)), np.float32) / 255
    return out[..., None] if out.ndim == 2 else out


def _small(picture: Picture, share: float) -> Picture:
    side = picture.shape[0]
    image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    small = F.interpolate(image, scale_factor=share, mode="bilinear", antialias=True)
    back = F.interpolate(small, (side, side), mode="bilinear")
    return back[0].permute(1, 2, 0).numpy()


def _compressed(picture: Picture, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray((picture * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer), np.float32) / 255
