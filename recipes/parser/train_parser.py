"""Train the parser of faces on labelled renders, and photographs of which some pixels are known.

    python -m recipes.parser.label renders --data renders/pairs
    python -m recipes.parser.label photos --photos portraits --teachers teachers --out runs/photos
    python -m recipes.parser.train_parser --data renders/pairs --photos runs/photos \\
        --out runs/parser --minutes 80

The trunk begins with ImageNet's weights and learns slowly, what reads its features fast. In further
rounds the parser's own confident answers join what is known of the photographs
(`recipes.parser.self_training`), and so does what a person outlined (`recipes.parser.rough`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.devices import fast_autocast
from multimodal.metrics import efficientnet_lite0
from multimodal.parsing.classes import CLASSES, COLORS
from multimodal.parsing.files import save_parser
from multimodal.parsing.network import ParserConfig, ParserNetwork
from recipes.loop import Average, Run, RunConfig, start
from recipes.parser.data import Labelled, Mixture
from recipes.parser.losses import losses, overlap, pixel_weights
from recipes.parser.rough import outlined, told
from recipes.parser.self_training import answered, plain

FIXED = ("conv_stem", "bn1", "blocks.0", "blocks.1")
"""Of the trunk: edges and textures, which ImageNet taught, at the sizes that cost the most."""
TRUNK_RATE = 0.25
"""Of the rate at which the rest learns."""
WARM = 100
"""Steps in which the rate rises."""
OUTLINED_AGAIN = 4
"""How many times more often a photograph comes that a person outlined."""


def new_parser(config: ParserConfig, pretrained: bool = True) -> ParserNetwork:
    """An untrained parser; its trunk knows ImageNet unless told otherwise."""
    parser = ParserNetwork(config)
    if pretrained:
        parser.trunk.load_state_dict(efficientnet_lite0().state_dict(), strict=False)
    return parser.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.no_grad()
def begin(parser: ParserNetwork, pictures: Tensor) -> None:
    """Weights under which every feature of some pictures `[B, 3, S, S]` counts alike at first."""
    for found, one in zip(parser.trunk(pictures), parser.maps, strict=True):
        weight = cast(nn.Conv2d, one).weight
        spread = found.std((0, 2, 3)) + 1e-2
        weight.normal_(std=(2 / weight.shape[1]) ** 0.5)
        weight[:, : len(spread)] /= spread[None, :, None, None]
        cast(nn.Conv2d, one).bias.copy_(  # type: ignore[union-attr]
            -weight[:, : len(spread), 0, 0] @ found.mean((0, 2, 3))
        )


def wide_depthwise(parser: nn.Module) -> None:
    """Let depthwise convolutions learn in float32 where the rest is bfloat16: their gradients are
    several times as slow in the latter on a CPU."""
    for module in parser.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.forward = _Wide(module.forward)  # type: ignore[assignment,method-assign]


class _Wide:
    """A layer's forward pass without autocast."""

    def __init__(self, forward: Any) -> None:
        self.inner = forward

    def __call__(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return cast(Tensor, self.inner(x.float()))


def optimizer_of(parser: ParserNetwork, lr: float) -> torch.optim.Optimizer:
    """AdamW, the trunk at its own rate (`base` of every group)."""
    trunk = [p for n, p in parser.named_parameters() if n.startswith("trunk.") and p.requires_grad]
    rest = [p for n, p in parser.named_parameters() if not n.startswith("trunk.")]
    groups: list[dict[str, Any]] = [
        {"params": trunk, "base": lr * TRUNK_RATE},
        {"params": rest, "base": lr},
    ]
    return torch.optim.AdamW(groups, lr=lr, weight_decay=0.01)


def train(run: Run, parser: ParserNetwork, data: Mixture, batch: int, lr: float) -> ParserNetwork:
    """Train all of a parser; returns the averaged network.

    Args:
        run: says how long.
        parser: learns; its normalisation keeps ImageNet's means and variances, and its trunk's
            first blocks their weights.
        data: varied batches.
        batch: pictures of a batch.
        lr: rate at the beginning; it falls to nothing.
    """
    parser.eval().requires_grad_(True)
    for name in FIXED:
        parser.trunk.get_submodule(name).requires_grad_(False)
    optimizer = optimizer_of(parser, lr)
    average = Average(parser, half_life=200 * batch)
    wide_depthwise(parser)
    parts: dict[str, Any] = {"parser": parser, "average": average, "optimizer": optimizer}
    run.resume(parts)
    device, warm = run.fabric.device, min(WARM, 1 + run.config.steps // 5)
    run.start_clock()
    for step in run.steps(parts, batch):
        for group in optimizer.param_groups:
            rate = min((step + 1) / warm, 1.0) * max(1 - run.share_done(), 0.02)
            group["lr"] = group["base"] * rate
        pictures, sets = next(data)
        weights = pixel_weights(sets).to(device)
        pictures = pictures.contiguous(memory_format=torch.channels_last).to(device)
        sets = sets.to(device)
        with fast_autocast(device):
            logits = parser(pictures)
        asked, shape = losses(logits, sets, weights)
        optimizer.zero_grad(set_to_none=True)
        (asked + shape).backward()
        torch.nn.utils.clip_grad_norm_(parser.parameters(), 5.0)
        optimizer.step()
        average.update(parser, batch, (step + 1) * batch)
        run.log({"loss": asked.detach(), "overlap": 1 - shape.detach()})
    return cast(ParserNetwork, average.module)


def in_rounds(
    run: Run,
    parser: ParserNetwork,
    renders: Labelled,
    photos: Labelled | None,
    options: argparse.Namespace,
) -> ParserNetwork:
    """First what is plain, then all, as the parser of the round before decides it."""
    for number in range(1 + (options.self_train if photos else 0)):
        config = replace(run.config, out=options.out / f"round{number}")
        config.out.mkdir(parents=True, exist_ok=True)
        known, again = photos, list[int]()
        if photos is not None:
            known, again = _known(parser, photos, number, options)
        sides = (options.side,)
        seed = options.seed + number
        data = Mixture(
            renders, known, options.batch, options.photo_share, sides, seed, OUTLINED_AGAIN * again
        )
        if number == 0:
            begin(parser, next(data)[0])
        found = train(Run(config, run.fabric), parser, data, options.batch, options.lr)
        parser.load_state_dict(found.state_dict())
    return parser


def _known(
    parser: ParserNetwork, photos: Labelled, number: int, options: argparse.Namespace
) -> tuple[Labelled, list[int]]:
    """What is known of the photographs in a round, and which are outlined."""
    outlines = told(photos) if options.rough else []
    if number:
        photos = answered(parser, photos, outlines)
    elif options.self_train:
        sets = np.stack([photos[i][1] for i in range(len(photos))])
        photos = Labelled(photos.images, (plain(sets),), photos.names)
    return (outlined(photos) if options.rough else photos), outlines


@torch.no_grad()
def show(run: Run, parser: ParserNetwork, data: Mixture) -> None:
    """Write a batch of pictures above their parsings."""
    pictures, _ = next(data)
    logits = parser(pictures.to(run.fabric.device))
    colors = torch.tensor(COLORS, dtype=torch.float32) / 127.5 - 1
    painted = colors[logits.argmax(1).cpu()].permute(0, 3, 1, 2)
    rows = [torch.cat([p, q], 1) for p, q in zip(pictures, painted, strict=True)]
    run.log_images("parsed", torch.cat(rows, 2))


@torch.no_grad()
def mean_overlap(parser: ParserNetwork, data: Labelled, limit: int = 200) -> dict[str, float]:
    """Intersection over union of every class over the first pictures, and "mean" of those met."""
    sums = torch.zeros(2, len(CLASSES))
    side = parser.config.side
    for index in range(min(limit, len(data))):
        picture, sets = data[index]
        image = torch.from_numpy(picture).permute(2, 0, 1)[None] * 2 - 1
        small = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
        logits = parser(small.to(next(parser.parameters()).device)).cpu()
        found = F.interpolate(logits, sets.shape, mode="bilinear").argmax(1)
        wanted = torch.from_numpy(np.log2(sets.astype(np.float64)).round().astype(np.int64))
        sums += overlap(found[0], wanted)
    met = sums[1] > 0
    values = sums[0] / sums[1].clamp_min(1)
    named = {name: float(values[k]) for k, name in enumerate(CLASSES) if met[k]}
    return {"mean": float(values[met].mean()), **named}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled shards")
    parser.add_argument("--photos", type=Path, help="labelled photographs")
    parser.add_argument("--rough", action="store_true", help="heed the outlines of photographs")
    parser.add_argument("--heldout", type=Path, help="labelled shards to measure on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photo-share", type=float, default=0.5)
    parser.add_argument("--side", type=int, default=256, help="of the pictures it is shown")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--plain", action="store_true", help="no trunk that knows ImageNet")
    parser.add_argument(
        "--self-train",
        type=int,
        default=1,
        help="rounds of learning its own answers on photographs",
    )
    parser.add_argument("--steps", type=int, default=4000, help="of a round")
    parser.add_argument("--minutes", type=float, default=0, help="of a round")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Parse the command line, train, save, and measure on held-out renders."""
    options = _options()
    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    parser = new_parser(ParserConfig(options.side), not options.plain).to(run.fabric.device)
    photos = Labelled.photographs(options.photos) if options.photos else None
    renders = Labelled.renders(options.data)
    trained = in_rounds(run, parser, renders, photos, options)
    save_parser(trained, options.out / "parser.safetensors")
    data = Mixture(renders, photos, 8, options.photo_share, (options.side,), options.seed)
    show(run, trained, data)
    if options.heldout:
        run.log(dict(mean_overlap(trained.float(), Labelled.renders(options.heldout))), force=True)


if __name__ == "__main__":
    main()
