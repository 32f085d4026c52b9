"""Train a hypernetwork for a model: changes of the generator's weights for one face, in one look.

    python -m recipes.encoder.train_hyper --model MODEL --data photos --out runs/hyper --minutes 600

HyperStyle's plan (Alaluf et al. 2022, section 3.4): encoder and generator stay as they are; the
hypernetwork sees picture and reconstruction, several times, and what it says adds up. The result
goes into the model's folder as `hyper.safetensors`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.hyperstyle import draw_with
from multimodal.inversion.encoders.small_hyper import (
    FILE_NAME,
    SmallHyperConfig,
    SmallHyperNetwork,
    save_small_hyper,
)
from multimodal.types import Encoder
from recipes.data import Faces, index_batches
from recipes.encoder.train_encoder import Judges, Weights, distances
from recipes.loop import Average, Run, RunConfig, start

SMALL = 1e-2
"""Weight of the changes' mean square: what can stay, stays."""


def redrawn(
    generator: StyleGAN2, network: Any, images: Tensor, codes: Tensor, passes: int
) -> tuple[list[Tensor], Tensor]:
    """The drawings after every pass, each `[B, 3, R, R]`, and the mean square of the changes.

    Args:
        generator: frozen; its weights are read, each face has its own.
        network: the hypernetwork.
        images: what is to be drawn `[B, 3, R, R]`.
        codes: of the faces `[B, L, D]`.
        passes: looks at the reconstruction.
    """
    weights = generator.state_dict()
    with torch.no_grad():
        drawn = generator.synthesize(codes)
    total: dict[str, Tensor] = {}
    pictures = []
    for _ in range(passes):
        found = network(torch.cat([images, drawn.detach().to(images)], dim=1))
        for layer, change in zip(network.layers, found, strict=True):
            if change is not None:
                total[layer.key] = total[layer.key] + change if layer.key in total else change
        own = [{k: weights[k] * (1 + d[i]) for k, d in total.items()} for i in range(len(codes))]
        faces = zip(codes, own, strict=True)
        drawn = torch.cat([draw_with(generator, code[None], changed) for code, changed in faces])
        pictures.append(drawn)
        total = {key: change.detach() for key, change in total.items()}
    size = torch.stack([change.square().mean() for change in found if change is not None]).mean()
    return pictures, size


def train(
    run: Run,
    generator: StyleGAN2,
    encoder: Encoder,
    network: SmallHyperNetwork,
    faces: Faces,
    judges: Judges,
    batch: int = 4,
    passes: int = 2,
    rate: float = 5e-4,
) -> SmallHyperNetwork:
    """Train to the end of the run's steps or minutes, resuming; returns the averaged network."""
    device = run.fabric.device
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99))
    average = Average(network, half_life=2000)
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    run.resume(parts)
    batches = index_batches(len(faces), batch, run.config.seed + run.step)
    run.start_clock()
    for _ in run.steps(parts, batch):
        images = faces.batch(next(batches)).to(device)
        with torch.no_grad():
            codes = encoder(images).to(device)
        pictures, size = redrawn(generator, network, images, codes, passes)
        terms = {"small": SMALL * size}
        for picture in pictures:
            for name, term in distances(images, picture, judges, Weights()).items():
                terms[name] = terms.get(name, torch.zeros((), device=device)) + term / passes
        optimizer.zero_grad(set_to_none=True)
        run.fabric.backward(torch.stack(list(terms.values())).sum())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network, batch, run.images + 50_000)
        run.log({name: term.detach() for name, term in terms.items()})
    return average.module  # type: ignore[return-value]


def main(
    model: Annotated[str, typer.Option(help="name or folder of a model with an encoder")],
    data: Annotated[Path, typer.Option(help="shards of renders, or aligned photos")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints and the result")],
    minutes: Annotated[float, typer.Option(help="time limit of the training")] = 0.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 20_000,
    batch: Annotated[int, typer.Option(help="faces a step")] = 4,
    passes: Annotated[int, typer.Option(help="looks at the reconstruction")] = 2,
    seed: int = 0,
) -> None:
    """Train the hypernetwork of a model."""
    from multimodal.editing.assemble import assemble
    from multimodal.metrics import Lpips
    from multimodal.recognition.dlib_resnet import load_dlib_face

    run = start(RunConfig(out, steps, minutes, seed))
    parts = assemble(model, run.fabric.device)
    generator = parts.toolkit.generator
    if parts.encoder is None or not isinstance(generator, StyleGAN2):
        raise ValueError(f"model {model!r} has no encoder, or no StyleGAN2")
    network = SmallHyperNetwork(SmallHyperConfig.of(generator)).to(run.fabric.device)
    judges = Judges(Lpips("alex").to(run.fabric.device), load_dlib_face(device=run.fabric.device))
    faces = Faces(data, generator.resolution)
    trained = train(run, generator, parts.encoder, network, faces, judges, batch, passes)
    if run.fabric.is_global_zero:
        save_small_hyper(trained.cpu(), out / FILE_NAME)


if __name__ == "__main__":
    typer.run(main)
