"""Measure a model's directions: style-channel statistics, named attributes, SeFa, GANSpace.

python -m recipes.factors.directions --model MODEL --out MODEL
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from guidance.clip import load_clip
from guidance.controls.attributes import NAMED, attribute_directions, ganspace, sefa, text_scores
from guidance.controls.components import Components, spread
from guidance.controls.control import ATTRIBUTES_NAME
from guidance.methods.directions import FILE_NAME, StatisticsConfig, compute_statistics
from multimodal.files.variants import completed
from multimodal.generators import load_stylegan2
from multimodal.types import Generator, OnStep, Progress, Toolkit
from recipes.render.factors import Factors, sample_factors
from recipes.render.words.captions import captions


def load_parts(model: Path, device: str = "auto") -> Toolkit:
    """Generator and CLIP of a model folder (`generator.safetensors`, `clip/`)."""
    model = completed(model)
    generator = load_stylegan2(model / "generator.safetensors", device)
    return Toolkit(generator, load_clip(model / "clip", generator.device), folder=model)


def caption_bank(data: Path | None, count: int, seed: int = 0) -> list[str]:
    """Distinct captions of renders in a folder, or of freshly drawn factors where there is none."""
    if data is None:
        factors = [sample_factors(seed + i) for i in range(count // 2)]
    else:
        from recipes.data import Faces

        rows = Faces(data).column("factors")
        picks = np.random.default_rng(seed).permutation(len(rows))[: max(1, count // 2)]
        factors = [Factors.from_dict(rows[i]) for i in picks]
    texts = [text for f in factors for text in captions(f, 2, seed + f.seed)]
    return list(dict.fromkeys(texts))[:count]


def measure_attributes(
    toolkit: Toolkit, out: Path, samples: int, seed: int, on_step: OnStep | None = None
) -> Path:
    """Directions of all named attributes, read by the model's CLIP."""
    scorers = {name: text_scores(toolkit.clip, named) for name, named in NAMED.items()}
    layers = {name: named.layers for name, named in NAMED.items()}
    found = attribute_directions(toolkit.generator, scorers, layers, samples, seed, on_step=on_step)
    return found.save(out / ATTRIBUTES_NAME, {"samples": samples, "seed": seed})


def measure_components(generator: Generator, out: Path, seed: int) -> None:
    """SeFa's and GANSpace's directions."""
    _, vectors = sefa(generator)
    Components("sefa", vectors, spread(generator, vectors, seed)).save(out)
    count = min(40, generator.style_dim)
    deviations, vectors = ganspace(generator, count, seed=seed)
    Components("ganspace", vectors, deviations).save(out)


def main(
    model: Annotated[Path, typer.Option(help="model folder: generator and CLIP")],
    out: Annotated[Path, typer.Option(help="folder of the results, often the model's own")],
    samples: Annotated[int, typer.Option(help="faces for the attributes")] = 3000,
    images: Annotated[int, typer.Option(help="faces on which each channel is moved")] = 8,
    seed: int = 0,
) -> None:
    """Measure all directions of a model folder."""
    from rich.progress import Progress as Bar

    toolkit = load_parts(model)
    out.mkdir(parents=True, exist_ok=True)
    with Bar(transient=True) as bar:
        task = bar.add_task("directions", total=None)

        def on_step(step: Progress) -> None:
            bar.update(task, total=step.total, completed=step.step, description=step.message)

        torch.manual_seed(seed)
        config = StatisticsConfig(images=images, seed=seed)
        compute_statistics(toolkit.generator, toolkit.clip, out / FILE_NAME, on_step, config)
        measure_attributes(toolkit, out, samples, seed, on_step)
    measure_components(toolkit.generator, out, seed)


if __name__ == "__main__":
    typer.run(main)
