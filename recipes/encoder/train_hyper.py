"""Train a hypernetwork for a model: changes of the generator for one face, in one look.

    python -m recipes.encoder.train_hyper --model MODEL --photos portraits --out runs/hyper \
        --minutes 600

HyperStyle's plan (Alaluf et al. 2022, section 3.4): encoder and generator stay as they are; the
hypernetwork sees picture and reconstruction. Both are made once for every picture and kept, for
they cost more than a step; the body begins as the encoder's, and most steps draw at half the side.
Where the model has factors, an edit must change the face's own drawing as it changes the plain one
(`recipes.encoder.edited`). The result goes into the model's folder as `hyper.safetensors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multimodal.devices import fast_autocast, fast_dtype
from multimodal.files.weights import atomic
from multimodal.generators.smaller import drawn_at, features_at
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from multimodal.inversion.encoders.encoder_files import HYPER_FILE
from multimodal.inversion.encoders.hyperstyle import changed
from multimodal.inversion.encoders.small_hyper import (
    SmallHyperConfig,
    SmallHyperNetwork,
    read_small_hyper,
    save_small_hyper,
)
from recipes.data import index_batches
from recipes.encoder.edited import Edits
from recipes.encoder.train_encoder import Judges, Weights, distances
from recipes.generator.looking import drawn_by, looked
from recipes.loop import Average, Run, RunConfig, start

RULE = Weights(pixels=2.0, perceptual=1.0, identity=0.5)
QUICK_RULE = replace(RULE, identity=0.0)
"""Of the steps at half the side: who it is costs as much as all the rest."""
SMALL = 1e-2
"""Weight of the changes' mean square: what can stay, stays."""
WHOLE = 4
"""Every so many steps are drawn at the full side."""
KNOWN = "known.safetensors"


@dataclass(frozen=True)
class Known:
    """Pictures, what the encoder makes of them, and what that draws.

    Args:
        pictures: uint8 `[N, 3, R, R]`.
        drawn: uint8 `[N, 3, S, S]`, at the side that the hypernetwork looks at.
        codes: float16 `[N, L, D]`.
    """

    pictures: Tensor
    drawn: Tensor
    codes: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, generator: StyleGAN2, encoder: BundleEncoder, pictures: Tensor, side: int) -> Known:
        """Look at pictures `[N, 3, R, R]`, uint8."""
        drawn, codes = [], []
        for some in pictures.split(8):
            with fast_autocast(generator.device):
                found = looked(encoder, lambda w: drawn_by(generator, w), _unit(some)).float()
            codes.append(found.half())
            drawn.append(_byte(F.adaptive_avg_pool2d(drawn_by(generator, found), side)))
        return cls(pictures, torch.cat(drawn), torch.cat(codes))

    def save(self, path: Path) -> None:
        """Write what a look cost time for."""
        with atomic(path) as part:
            save_file({"drawn": self.drawn.contiguous(), "codes": self.codes}, part)

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures and drawings in [-1, 1], and codes."""
        rows = torch.from_numpy(indices)
        return _unit(self.pictures[rows]), _unit(self.drawn[rows]), self.codes[rows].float()


def _unit(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _byte(pictures: Tensor) -> Tensor:
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


class Drawer(nn.Module):
    """A generator called with a code and a side, for `functional_call`."""

    def __init__(self, generator: StyleGAN2) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, w_plus: Tensor, side: int, features: bool = False) -> Tensor:
        """`[K, L, D]` to `[K, 3, side, side]`, or to the features of that side."""
        return (features_at if features else drawn_at)(self.generator, w_plus, side)


def redrawn(
    generator: StyleGAN2, network: Any, shown: Tensor, codes: Tensor, side: int
) -> tuple[Tensor, Tensor]:
    """Drawings `[B, K, 3, side, side]` with each face's own changes, and the changes' mean square.

    Args:
        generator: frozen; its weights are read, each face has its own.
        network: the hypernetwork.
        shown: pictures and drawings `[B, 6, S, S]`.
        codes: K of each face `[B, K, L, D]`.
        side: of the drawings.
    """
    weights, drawer = generator.state_dict(), Drawer(generator)
    with fast_autocast(shown.device):
        found = network(shown)
    changes = {
        layer.key: change.float()
        for layer, change in zip(network.layers, found, strict=True)
        if change is not None
    }
    drawn = []
    for i, code in enumerate(codes):
        own = changed(weights, {key: change[i] for key, change in changes.items()})
        mine = {f"generator.{key}": weight for key, weight in own.items()}
        if len(code) > 1:
            mine |= _anchors(drawer, mine, code[:1])
        drawn.append(torch.func.functional_call(drawer, mine, (code, side)))
    size = torch.stack([change.square().mean() for change in changes.values()]).mean()
    return torch.stack(drawn), size


@torch.no_grad()
def _anchors(drawer: Drawer, own: Mapping[str, Tensor], code: Tensor) -> dict[str, Tensor]:
    """What a face's layers draw themselves where features are added (`pivotal.anchored`)."""
    added = {key: value for key, value in own.items() if key.endswith(".residual")}
    bare = {key: value for key, value in own.items() if key not in added}
    return {
        f"{key}_at": torch.func.functional_call(drawer, bare, (code, value.shape[-1], True))[0]
        for key, value in added.items()
    }


def train(
    run: Run,
    generator: StyleGAN2,
    network: SmallHyperNetwork,
    known: Known,
    judges: Judges,
    batch: int = 4,
    rate: float = 4e-4,
    edits: Edits | None = None,
) -> SmallHyperNetwork:
    """Train to the end of the run's steps or minutes, resuming; returns the averaged network."""
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99))
    average = Average(network, half_life=800)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    run.resume(parts)
    batches = index_batches(len(known.codes), batch, run.config.seed + run.step)
    run.start_clock()
    for step in run.steps(parts, batch):
        for group in optimizer.param_groups:
            group["lr"] = rate * max(0.05, min(1.0, (step + 1) / 20, 2 - 2 * run.share_done()))
        images, drawn, codes = known.batch(next(batches))
        side = generator.resolution // (1 if step % WHOLE == 0 else 2)
        shown = torch.cat([F.adaptive_avg_pool2d(images, drawn.shape[-1]), drawn], dim=1)
        quick = edits is not None and side < generator.resolution
        asked = edits.asked(generator, codes, side) if edits is not None and quick else None
        given = codes[:, None] if asked is None else torch.stack([codes, asked.codes], dim=1)
        made, size = redrawn(generator, network, shown, given, side)
        with fast_autocast(made.device):
            wanted = F.adaptive_avg_pool2d(images, side)
            rule = RULE if side == generator.resolution else QUICK_RULE
            terms = distances(wanted, made[:, 0], judges, rule)
            if asked is not None:
                terms["edited"] = asked.missed(made[:, 0], made[:, 1], judges)
        terms["small"] = SMALL * size
        optimizer.zero_grad(set_to_none=True)
        run.fabric.backward(torch.stack([term.float() for term in terms.values()]).sum())
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network, batch, run.images + 400)
        run.log({name: term.detach() for name, term in terms.items()})
    return average.module  # type: ignore[return-value]


def begun(
    generator: StyleGAN2, encoder: BundleEncoder, go_on: Path | None = None
) -> SmallHyperNetwork:
    """A network whose body is the encoder's, or another training's result."""
    if go_on is not None:
        return read_small_hyper(go_on).requires_grad_(True)
    shape = encoder.config
    config = SmallHyperConfig.of(generator, width=shape.width, side=shape.resolution)
    network = SmallHyperNetwork(config)
    if shape.feedback:
        for name in ("stem", "downs", "stages"):
            getattr(network, name).load_state_dict(getattr(encoder, name).state_dict())
    return network


def main(
    model: Annotated[Path, typer.Option(help="folder of a model with an encoder")],
    photos: Annotated[Path, typer.Option(help="folder of aligned portraits with an index.csv")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints and the result")],
    minutes: Annotated[float, typer.Option(help="time limit of the training")] = 0.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 20_000,
    batch: Annotated[int, typer.Option(help="faces a step")] = 4,
    count: Annotated[int, typer.Option(help="portraits; 0: all")] = 0,
    go_on: Annotated[Path | None, typer.Option(help="another's hyper.safetensors")] = None,
    mirrored: Annotated[bool, typer.Option(help="show every portrait mirrored, too")] = True,
    rate: Annotated[float, typer.Option(help="learning rate")] = 4e-4,
    seed: int = 0,
) -> None:
    """Train the hypernetwork of a model."""
    from multimodal.metrics import Lpips
    from multimodal.recognition.dlib_resnet import load_dlib_face
    from recipes.checkpoint import load_run
    from recipes.generator.photographs.portraits import held_back, read_index, read_pictures
    from recipes.generator.photographs.train import HELD_BACK

    run = start(RunConfig(out, steps, minutes, seed, log_every=10))
    generator, encoder = load_run(model)
    generator.requires_grad_(False).dtype = fast_dtype("cpu")
    network = begun(generator, encoder, go_on)
    learnt, _ = held_back(read_index(photos, "train"), HELD_BACK)
    chosen = learnt[:: max(1, len(learnt) // count)] if count else learnt
    pictures = read_pictures(chosen, generator.resolution)
    if mirrored:
        pictures = torch.cat([pictures, pictures.flip(-1)])
    if (out / KNOWN).is_file():
        known = Known(pictures, **load_file(out / KNOWN))
    else:
        known = Known.of(generator, encoder.eval(), pictures, network.config.side)
        known.save(out / KNOWN)
    judges = Judges(Lpips("alex"), load_dlib_face())
    edits = Edits.of(model)
    trained = train(run, generator, network, known, judges, batch, rate, edits)
    save_small_hyper(trained.cpu(), out / HYPER_FILE)


if __name__ == "__main__":
    typer.run(main)
