"""Faces that fit a drawing: the best of some random ones, led on by gradients.

The code is looked for in W+ (as in Abdal et al. 2019), near a face that the generator draws by
itself, so that every seed gives another face; words move that face first.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal.editing.drawing.conditions import CONDITIONS, Drawn
from multimodal.editing.editor import FaceEditor
from multimodal.images import to_pil
from multimodal.parsing.files import model_parser
from multimodal.types import Face, Latent, OnStep, Progress

if TYPE_CHECKING:
    from multimodal.parsing import FaceParser

SHARES, LED = (0.25, 0.5, 0.8), 4
"""How far the best of the random faces are led to what an encoder sees in a drawing; how many."""
LOOK = 16
"""Side at which light and colours are compared, in pixels."""
DARK_SIDE, DARK_NEAR, DARKER, DARK = 64, 9, 0.1, 40.0
"""Lines close to each other, as about an eye, would fill with black: at this many pixels nothing
may become darker than the darkest within so many of them in the first face, by more than this much
(black and white are 2 apart), and the weight of it."""
SPREAD = 256
"""Codes by which the spread of W is judged."""


@dataclass(frozen=True)
class DrawOptions:
    """How faces are looked for.

    Args:
        steps: of Adam; 0 takes the best of the random faces.
        tried: random faces of which the best begins.
        lr: of Adam, in units of W's spread.
        prior: weight of the code's squared distance from where it begins, in the same units.
        apart: the same for what its rows differ in: faces stay natural where rows stay together.
        look: weight of how far light and colours stray from those of the first face, where the
            drawing has none.
        truncation: of random faces.

    Raises:
        ValueError: a figure out of range.
    """

    steps: int = 60
    tried: int = 24
    lr: float = 0.06
    prior: float = 0.02
    apart: float = 0.2
    look: float = 4.0
    truncation: float = 0.7

    def __post_init__(self) -> None:
        if not (0 <= self.steps <= 10_000 and 1 <= self.tried <= 1024):
            raise ValueError("steps are 0 to 10000, tried 1 to 1024")
        if not (
            0 < self.lr <= 10
            and min(self.prior, self.apart, self.look) >= 0
            and 0 <= self.truncation <= 1
        ):
            raise ValueError("lr is in (0, 10], weights at least 0, truncation in 0..1")


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """A face that fits a drawing.

    Args:
        face: with its code and picture.
        report: `condition`, `seed`, `steps`, `distance` before and after, `seconds`.
    """

    face: Face
    report: Mapping[str, Any]


def draw_faces(
    editor: FaceEditor,
    image: Image.Image,
    condition: str = "scribble",
    text: str | None = None,
    *,
    seed: int = 0,
    options: DrawOptions | None = None,
    on_step: OnStep | None = None,
) -> DrawnFace:
    """A face as somebody drew it.

    Args:
        editor: of the model that draws.
        image: the drawing; its middle square is taken, framed as FFHQ frames faces.
        condition: one of `CONDITIONS`.
        text: what the face should look like besides: "an old woman".
        seed: another seed, another face.
        options: of the search.
        on_step: told of every step.

    Raises:
        ValueError: an unknown condition, nothing drawn, or a model that lacks what it needs.
    """
    began = time.perf_counter()
    options = options or DrawOptions()
    if condition not in CONDITIONS:
        raise ValueError(f"condition {condition!r} is not one of {', '.join(CONDITIONS)}")
    kind, parser = CONDITIONS[condition], cast("FaceParser | None", editor.toolkit.parser)
    if kind.parses and parser is None:
        parser = model_parser("default", editor.device)  # parts are the same for every model
    drawn = kind.read(square(image), parser, editor.generator.resolution)
    start = _start(editor, drawn, seed, options)
    if text:
        face = Face(Latent(start), Image.new("RGB", (editor.generator.resolution,) * 2))
        start = editor.edit(face, text, fidelity="drawing", seed=seed).latent.w
    with torch.no_grad():
        first = float(drawn.distance(editor.generator.synthesize(start)))
    w, last = _search(editor, drawn, start, options, on_step)
    with torch.no_grad():
        picture = to_pil(editor.generator.synthesize(w))
    report = {"condition": condition, "seed": seed, "steps": options.steps}
    report |= {"distance_before": round(first, 4), "distance": round(last, 4)}
    report["seconds"] = round(time.perf_counter() - began, 3)
    return DrawnFace(Face(Latent(w), picture, report=dict(report)), report)


@torch.no_grad()
def _start(editor: FaceEditor, drawn: Drawn, seed: int, options: DrawOptions) -> Tensor:
    """The random face `[1, L, D]` that fits best; what an encoder sees in the drawing is mixed in
    where that fits better still."""
    generator = editor.generator
    codes = editor.sampled(options.tried, seed, options.truncation).w
    away = _distances(editor, drawn, codes)
    if editor.encoder is not None:
        rough = F.interpolate(drawn.rough, (256, 256), mode="bilinear", antialias=True)
        seen = editor.encoder(rough.to(generator.device).clamp(-1, 1)).to(codes)
        best = codes[away.argsort()[:LED]]
        led = torch.cat([drawn.led(best, seen, share) for share in SHARES])
        codes, away = torch.cat([codes, led]), torch.cat([away, _distances(editor, drawn, led)])
    return codes[int(away.argmin())][None].clone()


def _distances(editor: FaceEditor, drawn: Drawn, codes: Tensor) -> Tensor:
    """How far the pictures of codes `[N, L, D]` are from a drawing, `[N]`."""
    draw = editor.generator.synthesize
    return torch.cat([drawn.distance(draw(part)) for part in codes.split(4)])


@torch.enable_grad()
def _search(
    editor: FaceEditor, drawn: Drawn, start: Tensor, options: DrawOptions, on_step: OnStep | None
) -> tuple[Tensor, float]:
    """The code `[1, L, D]` nearest to the drawing that was seen, and how near."""
    generator = editor.generator
    spread = generator.sample(SPREAD, 0, 1.0).w[:, 0].std(0)
    rows = torch.zeros_like(start).requires_grad_(True)
    shared = torch.zeros_like(start[:, :1]).requires_grad_(True)
    optimizer = torch.optim.Adam([shared, rows], lr=options.lr, betas=(0.9, 0.99))
    best, lowest = start.detach(), float("inf")
    with torch.no_grad():
        first = generator.synthesize(start)
        look, floor = _look(first), -F.max_pool2d(-_grey(first), DARK_NEAR, 1, DARK_NEAR // 2)
    for step in range(options.steps + 1):
        w = start + (shared + rows) * spread
        picture = generator.synthesize(w)
        distance = drawn.distance(picture).sum()
        if not drawn.coloured:
            distance = distance + options.look * (_look(picture) - look).square().mean()
            black = (floor - DARKER - _grey(picture)).clamp_min(0)
            distance = distance + DARK * black.square().mean()
        value = float(distance.detach())
        if value < lowest:
            best, lowest = w.detach().clone(), value
        if step == options.steps:
            break
        held = options.prior * shared.square().mean() + options.apart * rows.square().mean()
        shared.grad, rows.grad = torch.autograd.grad(distance + held, [shared, rows])
        optimizer.step()
        optimizer.param_groups[0]["lr"] = options.lr * (1 - step / options.steps) ** 0.5
        if on_step is not None:
            on_step(Progress(step + 1, options.steps, {"distance": value}))
    return best, lowest


def _look(pictures: Tensor) -> Tensor:
    """Light and colours of pictures without their lines, `[B, 3, 16, 16]`."""
    return F.adaptive_avg_pool2d(pictures, LOOK)


def _grey(pictures: Tensor) -> Tensor:
    """The light of pictures, `[B, 1, 64, 64]`."""
    return F.adaptive_avg_pool2d(pictures, DARK_SIDE).mean(1, keepdim=True)


def square(image: Image.Image) -> Image.Image:
    """The middle square of a picture."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
