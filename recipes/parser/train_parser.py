"""Train the parser of faces on labelled renders, and photographs of which some pixels are known.

    python -m recipes.parser.label renders --data renders/pairs
    python -m recipes.parser.label photos --photos portraits --teachers teachers --out runs/photos
    python -m recipes.parser.train_parser --data renders/pairs --photos runs/photos \\
        --out runs/parser --minutes 45

The trunk keeps ImageNet's weights, so that the parser sees renders and photographs alike: it looks
once at varied pictures, and what reads its features is trained on sampled pixels of them
(`recipes.parser.samples`). In further rounds its own confident answers join what is known of the
photographs (`recipes.parser.self_training`).
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
from recipes.data import index_batches
from recipes.loop import Average, Run, RunConfig, start
from recipes.parser.data import Labelled, Mixture
from recipes.parser.losses import overlap, set_loss
from recipes.parser.rough import rough_samples
from recipes.parser.samples import keep_samples, read_samples
from recipes.parser.self_training import answered, plain


def new_parser(config: ParserConfig, pretrained: bool = True) -> ParserNetwork:
    """An untrained parser; its trunk knows ImageNet unless told otherwise."""
    parser = ParserNetwork(config)
    if pretrained:
        parser.trunk.load_state_dict(efficientnet_lite0().state_dict(), strict=False)
    parser.trunk.requires_grad_(False)
    return parser.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def read_sampled(parser: ParserNetwork, seen: Tensor) -> Tensor:
    """Logits `[N, C]` of sampled pixels' features `[N, F]`: the decoder without its pictures."""
    maps: list[Any] = list(parser.maps)
    weight = torch.cat([one.weight[:, :, 0, 0] for one in maps], 1)
    x = F.linear(seen, weight, maps[0].bias)
    for layer in parser.read:
        if isinstance(layer, nn.Conv2d):
            x = F.linear(x, layer.weight[:, :, 0, 0], layer.bias)
        else:
            x = layer(x)
    return x


def begin(parser: ParserNetwork, seen: Tensor) -> None:
    """Weights under which every feature counts alike at first."""
    spread = seen[:20000].float()
    scale = 1 / (spread.std(0) + 1e-2)
    with torch.no_grad():
        first = 0
        for one in cast("list[nn.Conv2d]", list(parser.maps)):
            count = one.in_channels
            nn.init.normal_(one.weight, std=(2 / spread.shape[1]) ** 0.5)
            one.weight.mul_(scale[None, first : first + count, None, None])
            first += count
        parser.maps[0].bias.copy_(-read_mean(parser, spread.mean(0)))  # type: ignore[union-attr,operator]


def read_mean(parser: ParserNetwork, mean: Tensor) -> Tensor:
    """What the maps say of mean features `[F]`, without bias."""
    maps: list[Any] = list(parser.maps)
    return torch.cat([one.weight[:, :, 0, 0] for one in maps], 1) @ mean


def train(
    run: Run, parser: ParserNetwork, seen: Tensor, sets: Tensor, batch: int, lr: float
) -> ParserNetwork:
    """Train what reads the trunk's features; returns the averaged network.

    Args:
        run: says how long.
        parser: of which all but the trunk learns.
        seen: features of sampled pixels `[N, F]`.
        sets: their sets `[N]`.
        batch: pixels of a step.
        lr: rate at the beginning; it falls to nothing.
    """
    learning = [p for n, p in parser.named_parameters() if not n.startswith("trunk.")]
    optimizer = torch.optim.AdamW(learning, lr=lr, weight_decay=0.01)
    average = Average(parser, half_life=300 * batch)
    parts: dict[str, Any] = {"parser": parser, "average": average, "optimizer": optimizer}
    run.resume(parts)
    batches = index_batches(len(seen), batch, run.config.seed + run.step)
    device = run.fabric.device
    run.start_clock()
    for step in run.steps(parts, batch):
        for group in optimizer.param_groups:
            group["lr"] = lr * min((step + 1) / 50, 1.0) * max(1 - run.share_done(), 0.02)
        index = torch.from_numpy(next(batches))
        with fast_autocast(device):
            found = read_sampled(parser, seen[index].to(device))
        loss = set_loss(found.T[None, :, :, None], sets[index].to(device)[None, :, None])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(parser, batch, (step + 1) * batch)
        run.log({"loss": loss.detach()})
    return cast(ParserNetwork, average.module)


def in_rounds(
    run: Run,
    parser: ParserNetwork,
    seen: Tensor,
    sets: Tensor,
    options: argparse.Namespace,
    rough: tuple[Tensor, Tensor] | None = None,
) -> ParserNetwork:
    """First what is plain, then all, as the parser of the round before decides it; from then on
    with what is known of roughly outlined photographs."""
    for number in range(1 + options.self_train):
        chosen = torch.ones(len(sets), dtype=torch.bool)
        known = sets
        if number == 0 and options.self_train:
            chosen = plain(sets)
        elif number:
            known = answered(lambda x: read_sampled(parser, x.float()), seen, sets)
        config = replace(run.config, out=options.out / f"round{number}")
        one = Run(config, run.fabric)
        config.out.mkdir(parents=True, exist_ok=True)
        part = seen[chosen], known[chosen]
        if rough is not None and (number or not options.self_train):
            part = torch.cat([part[0], rough[0]]), torch.cat([part[1], rough[1]])
        found = train(one, parser, *part, options.batch, options.lr)
        parser.load_state_dict(found.state_dict())
    return parser


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
    parser.add_argument("--rough", type=Path, help="where the roughly outlined photographs lie")
    parser.add_argument("--heldout", type=Path, help="labelled shards to measure on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=4000, help="varied pictures to sample from")
    parser.add_argument("--photo-share", type=float, default=0.5)
    parser.add_argument("--side", type=int, default=256, help="of the pictures it is shown")
    parser.add_argument("--batch", type=int, default=4096, help="sampled pixels of a step")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--plain", action="store_true", help="no trunk that knows ImageNet")
    parser.add_argument(
        "--self-train",
        type=int,
        default=2,
        help="rounds of learning its own answers on photographs",
    )
    parser.add_argument("--steps", type=int, default=600, help="of a round")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Parse the command line, sample, train, save, and measure on held-out renders."""
    options = _options()
    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    parser = new_parser(ParserConfig(options.side), not options.plain).to(run.fabric.device)
    photos = Labelled.photographs(options.photos) if options.photos else None
    mixture = Mixture(
        Labelled.renders(options.data),
        photos,
        8,
        options.photo_share,
        (options.side,),
        options.seed,
    )
    keep_samples(parser, mixture, options.out / "samples", -(-options.pictures // 200))
    seen, sets = read_samples(options.out / "samples")
    begin(parser, seen)
    rough = rough_samples(parser, options.rough, seed=options.seed) if options.rough else None
    trained = in_rounds(run, parser, seen, sets, options, rough)
    save_parser(trained, options.out / "parser.safetensors")
    show(run, trained, mixture)
    if options.heldout:
        run.log(dict(mean_overlap(trained.float(), Labelled.renders(options.heldout))), force=True)


if __name__ == "__main__":
    main()
