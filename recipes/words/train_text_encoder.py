"""Train the text encoder (TediGAN): captions land in W+ next to their pictures.

    python -m recipes.words.train_text_encoder --model MODEL --data RENDERS --out OUT --minutes 5

Pairs come from the generator: sampled codes, their pictures' embeddings, and the captions of the
renders that CLIP finds nearest. Where the encoder is given, the renders' own W+ and captions join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from guidance.methods.text_encoder import (
    FILE_NAME,
    TextEncoder,
    TextEncoderConfig,
    save_text_encoder,
)
from multimodal.files.variants import completed
from multimodal.inversion.encoders.encoder_files import ENCODER_FILE, read_bundle_encoder
from multimodal.types import Encoder, OnStep, Progress, Toolkit
from recipes.loop import Run, RunConfig, start


@dataclass(frozen=True)
class Pairs:
    """Codes with what describes them.

    Args:
        codes: W+ `[N, L, D]`.
        pictures: embeddings of the codes' pictures `[N, E]`.
        captions: embeddings of all captions `[C, E]`.
        nearest: for each code the captions that describe it `[N, K]`.
    """

    codes: Tensor
    pictures: Tensor
    captions: Tensor
    nearest: Tensor


@torch.no_grad()
def sampled_pairs(
    toolkit: Toolkit,
    captions: Tensor,
    count: int,
    seed: int = 0,
    truncation: float = 0.8,
    nearest: int = 8,
    on_step: OnStep | None = None,
) -> Pairs:
    """Generator samples with CLIP's pseudo-captions.

    Args:
        toolkit: generator and CLIP.
        captions: unit embeddings of a bank of captions `[C, E]`.
        count: samples.
        seed: of the samples.
        truncation: psi.
        nearest: captions a sample.
        on_step: told after every batch.
    """
    codes, pictures, batch = [], [], 16
    total = -(-count // batch)
    for step in range(total):
        w = toolkit.generator.sample(batch, seed + step, truncation).w
        pictures.append(toolkit.clip.encode_image(toolkit.generator.synthesize(w)).cpu())
        codes.append(w.cpu())
        if on_step is not None:
            on_step(Progress(step + 1, total, {}, "sampling pairs"))
    seen = torch.cat(pictures)[:count]
    # Captions and pictures each gather around a mean of their own; what is left is comparable.
    scores = (seen - seen.mean(0)) @ F.normalize(captions - captions.mean(0), dim=-1).T
    top = scores.topk(min(nearest, captions.shape[0]), dim=1).indices
    return Pairs(torch.cat(codes)[:count], seen, captions, top)


@torch.no_grad()
def encoded_pairs(
    toolkit: Toolkit,
    encoder: Encoder,
    images: Sequence[Tensor],
    captions: Tensor,
    described: Tensor,
) -> Pairs:
    """Renders inverted by the encoder, with their true captions.

    Args:
        toolkit: CLIP.
        encoder: pictures to W+.
        images: batches of renders `[B, 3, H, W]` in [-1, 1].
        captions: embeddings of all captions `[C, E]`.
        described: which captions describe each render `[N, K]`.
    """
    rows = toolkit.generator.num_layers
    views = [F.interpolate(x, (256, 256), mode="bilinear") for x in images]
    codes = [encoder(view)[:, :rows].cpu() for view in views]
    pictures = [toolkit.clip.encode_image(x).cpu() for x in images]
    return Pairs(torch.cat(codes), torch.cat(pictures), captions, described)


def rendered_pairs(
    toolkit: Toolkit, encoder: Encoder, data: Path, count: int, seed: int = 0, batch: int = 16
) -> Pairs:
    """Some renders of a folder of shards, inverted, each with two of its captions."""
    from recipes.data import Faces

    faces = Faces(data, toolkit.generator.resolution)
    rows = np.random.default_rng(seed).permutation(len(faces))[:count]
    lines = faces.column("captions")
    texts = [text for row in rows for text in (lines[row][0], lines[row][-1])]
    described = torch.arange(2 * len(rows)).view(-1, 2)
    images = [faces.batch(rows[i : i + batch]) for i in range(0, len(rows), batch)]
    return encoded_pairs(toolkit, encoder, images, toolkit.clip.encode_text(texts).cpu(), described)


def joined(first: Pairs, second: Pairs) -> Pairs:
    """Both, with as many captions a code as the first has."""
    many = first.nearest.shape[1]
    own = second.nearest.repeat(1, -(-many // second.nearest.shape[1]))[:, :many]
    nearest = torch.cat([first.nearest, own + len(first.captions)])
    return Pairs(
        torch.cat([first.codes, second.codes]),
        torch.cat([first.pictures, second.pictures]),
        torch.cat([first.captions, second.captions]),
        nearest,
    )


def new_text_encoder(toolkit: Toolkit, pairs: Pairs, seed: int = 0) -> TextEncoder:
    """An untrained text encoder that knows the centre and spread of the codes."""
    layers, dim = pairs.codes.shape[1:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = TextEncoder(TextEncoderConfig(toolkit.clip.dim, layers, dim))
    encoder.w_avg.copy_(pairs.codes.mean(0))
    encoder.w_std.copy_(pairs.codes.std(0).clamp_min(1e-3))
    return encoder


def encoder_loss(
    encoder: TextEncoder, embedding: Tensor, codes: Tensor, noise: Tensor
) -> dict[str, Tensor]:
    """Visual-linguistic similarity with many answers allowed.

    Each caption's draw nearest to its picture's code is pulled to it (implicit maximum likelihood,
    Li and Malik 2018), and must lie nearer to its own code than to the others' (the paper's
    ranking, as a softmax).

    Args:
        encoder: being trained.
        embedding: `[B, E]`.
        codes: `[B, L, D]`.
        noise: `[K, B, noise]`, K draws a caption.
    """
    truth = ((codes - encoder.w_avg) / encoder.w_std).flatten(1)
    with torch.no_grad():
        draws = torch.stack([_standard(encoder, embedding, n) for n in noise])
        best = (draws - truth).square().mean(-1).argmin(0)
    chosen = noise[best, torch.arange(len(best), device=best.device)]
    made = _standard(encoder, embedding, chosen)
    logits = F.normalize(made, dim=-1) @ F.normalize(truth, dim=-1).T * 10
    labels = torch.arange(len(logits), device=logits.device)
    return {
        "distance": F.mse_loss(made, truth),
        "ranking": 0.1 * F.cross_entropy(logits, labels),
    }


def _standard(encoder: TextEncoder, embedding: Tensor, noise: Tensor) -> Tensor:
    return ((encoder(embedding, noise) - encoder.w_avg) / encoder.w_std).flatten(1)


def train(run: Run, encoder: TextEncoder, pairs: Pairs, batch: int = 64, draws: int = 4) -> None:
    """Train until the run's steps or minutes are used up; checkpoints and resumes by itself."""
    fabric = run.fabric
    model, adam = fabric.setup(
        encoder, torch.optim.AdamW(encoder.parameters(), lr=5e-4, weight_decay=0.01)
    )
    parts = {"encoder": encoder, "adam": adam}
    run.resume(parts)
    run.start_clock()
    gap = pairs.captions.mean(0) - pairs.pictures.mean(0)
    for step in run.steps(parts, batch):
        source = torch.Generator().manual_seed(run.config.seed + 7919 * step)
        rows = torch.randint(len(pairs.codes), (batch,), generator=source)
        pick = torch.randint(pairs.nearest.shape[1], (batch,), generator=source)
        words = pairs.captions[pairs.nearest[rows, pick]]
        seen = pairs.pictures[rows] + gap
        share = torch.rand(batch, 1, generator=source)
        jitter = 0.03 * torch.randn(words.shape, generator=source)
        embedding = F.normalize(share * words + (1 - share) * seen + jitter, dim=-1)
        noise = torch.randn(draws, batch, encoder.config.noise, generator=source)
        losses = encoder_loss(
            model.module,
            embedding.to(fabric.device),
            pairs.codes[rows].to(fabric.device),
            noise.to(fabric.device),
        )
        adam.zero_grad(set_to_none=True)
        fabric.backward(torch.stack(list(losses.values())).sum())
        adam.step()
        run.log({k: v.detach() for k, v in losses.items()})


def main(
    model: Annotated[Path, typer.Option(help="bundle folder: generator and CLIP")],
    data: Annotated[Path, typer.Option(help="renders whose captions are the bank")],
    out: Annotated[Path, typer.Option(help="folder of checkpoints and the result")],
    minutes: Annotated[float, typer.Option(help="time limit of the training")] = 5.0,
    steps: Annotated[int, typer.Option(help="optimiser steps in all")] = 4000,
    samples: Annotated[int, typer.Option(help="generator samples")] = 6000,
    renders: Annotated[int, typer.Option(help="renders, where the model has an encoder")] = 2000,
    seed: int = 0,
) -> None:
    """Train the text encoder of a model folder."""
    from recipes.factors.directions import caption_bank, load_parts

    toolkit = load_parts(model)
    run = start(RunConfig(out, steps, minutes, seed))
    bank = toolkit.clip.encode_text(caption_bank(data, 4000, seed)).cpu()
    pairs = sampled_pairs(toolkit, bank, samples, seed)
    seeing = completed(model) / ENCODER_FILE
    if renders and seeing.is_file():
        encoding = read_bundle_encoder(seeing).to(toolkit.generator.device)
        pairs = joined(pairs, rendered_pairs(toolkit, encoding, data, renders, seed))
    encoder = new_text_encoder(toolkit, pairs, seed)
    train(run, encoder, pairs)
    if run.fabric.is_global_zero:
        save_text_encoder(encoder, out / FILE_NAME, {"images": run.images, "seed": seed})


if __name__ == "__main__":
    typer.run(main)
