"""Directions whose effects on the picture are orthogonal (Wei et al. 2021, "Orthogonal Jacobian
Regularization for Unsupervised Disentanglement in Image Generation", equation 3).

The paper trains a generator until the columns of its Jacobian stand at right angles. For a
finished one the same is asked of directions: those V for which `V' J' J V` has nothing off its
diagonal. That has a closed form, the eigenvectors of `J' J`, which is averaged over faces here;
`angles` says how far from a right angle a single face's columns are, and `hessian_penalty` whether
directions act apart from each other (Peebles et al. 2020, "The Hessian Penalty", equation 4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.controls.layers import Layers, layer_mask
from multimodal.types import Generator, OnStep, Progress

SEEN_SIDE = 64
"""Pictures are averaged to this side: finer noise is no attribute."""


@dataclass(frozen=True)
class JacobianConfig:
    """How the Jacobian is looked at.

    Args:
        count: directions that are kept.
        faces: sampled faces.
        probes: random signs a face; each is one row of the Jacobian, mixed.
        layers: rows of W+ that move; None for all.
        truncation: psi of the faces.
        seed: of faces and signs.
    """

    count: int = 10
    faces: int = 8
    probes: int = 32
    layers: Layers = None
    truncation: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        for name, most in (("count", 512), ("faces", 10_000), ("probes", 10_000)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} {getattr(self, name)} is not in 1..{most}")


def orthogonal_jacobian(
    generator: Generator, config: JacobianConfig | None = None, on_step: OnStep | None = None
) -> tuple[Tensor, Tensor]:
    """The directions of W that change pictures most, each in its own way.

    With random signs r on pixels, `r' J` is one gradient, and the mean of its outer products is
    `J' J` (Hutchinson's estimator): the whole Jacobian is never formed.

    Args:
        generator: any; where there is no W the directions are of z.
        config: how many, and how well.
        on_step: told after every face.

    Returns:
        the mean squared change of a pixel for a unit step, `[count]`, largest first, and unit
        directions `[count, D]`.
    """
    config = config or JacobianConfig()
    mask = layer_mask(config.layers, generator.num_layers).to(generator.device)
    source = torch.Generator().manual_seed(config.seed)
    gram = torch.zeros(generator.style_dim, generator.style_dim, dtype=torch.float64)
    for face, rows in enumerate(_faces(generator, config)):
        found, pixels = _gradients(generator, rows, mask, config.probes, source)
        gram += found.T @ found / (config.probes * config.faces * pixels)
        if on_step is not None:
            on_step(Progress(face + 1, config.faces, {}, "looking at the Jacobian"))
    values, vectors = torch.linalg.eigh(gram)
    order = values.argsort(descending=True)[: config.count]
    return values[order].float(), vectors[:, order].T.float().contiguous()


@torch.no_grad()
def angles(
    generator: Generator, directions: Tensor, config: JacobianConfig | None = None
) -> Tensor:
    """Mean size of the cosines between the pictures' changes along directions `[K, D]`, over faces:
    0 where the Jacobian's columns are orthogonal, 1 where they are parallel."""
    config = config or JacobianConfig()
    mask = layer_mask(config.layers, generator.num_layers).to(generator.device)
    steps = STEP * _spread(generator, config) * directions.to(generator.device)
    found = []
    for rows in _faces(generator, config):
        moved = torch.cat([rows + s * mask for s in steps])
        changes = _seen(generator, moved) - _seen(generator, rows)
        units = F.normalize(changes.flatten(1), dim=1)
        cosines = (units @ units.T).abs()
        count = len(directions)
        found.append((cosines.sum() - count) / max(1, count * (count - 1)))
    return torch.stack(found).mean()


@torch.no_grad()
def hessian_penalty(
    generator: Generator, directions: Tensor, config: JacobianConfig | None = None
) -> Tensor:
    """How much the effect of one direction depends on where the others stand.

    The variance, over random signs of the directions, of the picture's second difference along
    their sum; here the mean over pixels as a share of the mean squared second difference (the paper
    takes the largest, of features), so 0 is none and figures of different models compare.

    Args:
        generator: any.
        directions: unit rows `[K, D]`.
        config: `faces`, `probes`, `layers`, `truncation` and `seed` are read.
    """
    config = config or JacobianConfig()
    mask = layer_mask(config.layers, generator.num_layers).to(generator.device)
    source = torch.Generator().manual_seed(config.seed)
    steps = directions.to(generator.device) * _spread(generator, config)
    probes, shares = max(2, config.probes), []
    for rows in _faces(generator, config):
        still, bends = _seen(generator, rows), []
        for _ in range(probes):
            signs = torch.randint(2, (len(steps),), generator=source).to(steps) * 2 - 1
            step = (signs @ steps) * mask
            bends.append(_seen(generator, rows + step) - 2 * still + _seen(generator, rows - step))
        bend = torch.cat(bends)
        shares.append(bend.var(dim=0).mean() / bend.square().mean().clamp(min=1e-20))
    return torch.stack(shares).mean()


STEP = 0.01
"""Of W's spread: short enough that a difference is a derivative."""


def _faces(generator: Generator, config: JacobianConfig) -> Iterator[Tensor]:
    for face in range(config.faces):
        yield generator.sample(1, config.seed + 100 + face, config.truncation).w


def _spread(generator: Generator, config: JacobianConfig) -> Tensor:
    codes = generator.sample(256, config.seed, config.truncation).w[:, 0]
    return codes.std(dim=0).mean().clamp(min=1e-6)


def _seen(generator: Generator, rows: Tensor) -> Tensor:
    images = generator.synthesize(rows)
    side = min(SEEN_SIDE, images.shape[-1])
    return F.adaptive_avg_pool2d(images, side)


@torch.enable_grad()
def _gradients(
    generator: Generator, rows: Tensor, mask: Tensor, probes: int, source: torch.Generator
) -> tuple[Tensor, int]:
    """Mixed rows of a face's Jacobian, float64 `[probes, D]`, and how many there are unmixed."""
    step = torch.zeros(generator.style_dim, device=rows.device, requires_grad=True)
    picture = _seen(generator, rows + step * mask)
    found = []
    for _ in range(probes):
        signs = torch.randint(2, picture.shape, generator=source).to(picture) * 2 - 1
        (row,) = torch.autograd.grad((picture * signs).sum(), step, retain_graph=True)
        found.append(row)
    return torch.stack(found).double().cpu(), picture.numel()
