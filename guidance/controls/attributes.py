"""Directions for sliders: SeFa, GANSpace, InterFaceGAN, and projections between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from guidance.common import conv_indices
from guidance.controls.control import Attributes, reject
from guidance.controls.layers import Layers, layer_mask
from guidance.targets import embed_phrase
from multimodal.types import ClipModel, Generator, OnStep, Progress

Scores = Callable[[Tensor], Tensor]
"""Pictures `[B, 3, H, W]` in [-1, 1] to scores `[B]`, higher for more of an attribute."""


@dataclass(frozen=True)
class Named:
    """How an attribute is measured and where it lives.

    Args:
        more: descriptions of faces that have it.
        less: descriptions of faces that do not.
        layers: rows of W+ its direction acts on.
    """

    more: tuple[str, ...]
    less: tuple[str, ...]
    layers: Layers = None


NAMED: dict[str, Named] = {
    "age": Named(("an old person", "an elderly person"), ("a young person", "a child")),
    "sex": Named(("a man", "a male face"), ("a woman", "a female face")),
    "smile": Named(("a smiling person", "a happy face"), ("a serious person", "a neutral face")),
    "mouth_open": Named(("a person with an open mouth",), ("a person with a closed mouth",)),
    "anger": Named(("an angry person",), ("a calm person",)),
    "sadness": Named(("a sad person",), ("a happy person",)),
    "surprise": Named(("a surprised person",), ("a calm person",)),
    "eyes_closed": Named(("a person with closed eyes",), ("a person with open eyes",)),
    "beard": Named(("a man with a full beard",), ("a clean-shaven man",)),
    "glasses": Named(("a person wearing glasses",), ("a person without glasses",)),
    "bald": Named(("a bald person",), ("a person with hair",)),
    "hair_length": Named(("a person with long hair",), ("a person with short hair",)),
    "hair_blond": Named(("a person with blond hair",), ("a person with black hair",), "4--1"),
    "hair_red": Named(("a person with red hair",), ("a person with brown hair",), "4--1"),
    "hair_gray": Named(("a person with gray hair",), ("a person with brown hair",), "4--1"),
    "skin_dark": Named(("a person with dark skin",), ("a person with light skin",)),
    "weight": Named(("an overweight person",), ("a thin person",)),
    "lipstick": Named(("a woman wearing lipstick",), ("a woman without lipstick",)),
    "pose": Named(("a face turned to the right",), ("a face turned to the left",)),
}
"""The sliders of a model whose attributes are read by its CLIP."""


def style_matrix(generator: Generator, style: int) -> Tensor:
    """The affine map from a row of W to a style vector, `[C_i, D]`, found by probing."""
    size = generator.style_dim
    rows = torch.eye(size, device=generator.device)[:, None].expand(-1, generator.num_layers, -1)
    zero = torch.zeros(1, generator.num_layers, size, device=generator.device)
    with torch.no_grad():
        moved, offset = generator.styles(rows)[style], generator.styles(zero)[style]
    return (moved.cpu().double() - offset.cpu().double()).T


def sefa(
    generator: Generator, layers: Sequence[int] | None = None, count: int = 10
) -> tuple[Tensor, Tensor]:
    """SeFa (Shen and Zhou 2021, equation 7): the directions of W that change styles most.

    Args:
        generator: any with styles, or whose first layer is linear in z (its matrix is taken then).
        layers: convolutions in network order, the last toRGB after them; None for all.
        count: directions.

    Returns:
        eigenvalues `[count]`, largest first, and unit directions `[count, D]`.
    """
    styles = _styles_looked_at(generator)
    chosen = range(len(styles)) if layers is None else layers
    if any(not 0 <= k < len(styles) for k in chosen):
        raise ValueError(f"layers {list(chosen)} are not all in 0..{len(styles) - 1}")
    first = _first_map(generator)
    if first is None:
        weights = torch.cat([style_matrix(generator, styles[k]) for k in chosen])
    else:
        weights = first.double().cpu()
    weights = F.normalize(weights, dim=1)
    values, vectors = torch.linalg.eigh(weights.T @ weights)
    order = values.argsort(descending=True)[:count]
    return values[order].float(), vectors[:, order].T.float().contiguous()


def _styles_looked_at(generator: Generator) -> list[int]:
    """The styles SeFa counts as layers: a StyleGAN2's convolutions and its last toRGB, all styles
    of another family, one layer where there are none."""
    if _first_map(generator) is not None:
        return [0]
    if getattr(generator, "family", "stylegan2") != "stylegan2":
        return list(range(generator.num_layers))
    total = 3 * generator.num_layers // 2 - 1  # styles of a StyleGAN2 with that many rows
    return [*conv_indices(total), total - 1]


def _first_map(generator: Generator) -> Tensor | None:
    """The matrix `[F, D]` from a code to the first features, where a family has no styles."""
    found: Tensor | None = getattr(generator, "first_map", lambda: None)()
    return None if found is None else found.detach()


def ganspace(
    generator: Generator,
    components: int = 80,
    samples: int = 20_000,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> tuple[Tensor, Tensor]:
    """GANSpace (Haerkoenen et al. 2020, section 2.1): principal components of W.

    Where there is no W, the paper takes those of the first features and carries them back to z by
    regression (section 2.2). The first layer is linear and z standard normal, so what that tends to
    for many samples is known: the right singular vectors of the layer's matrix.

    Args:
        generator: any generator.
        components: how many.
        samples: codes (300,000 published).
        seed: of the codes.
        on_step: told after every batch.

    Returns:
        standard deviations `[components]` and unit directions `[components, D]`.
    """
    first = _first_map(generator)
    if first is not None:
        _, _, vectors = torch.linalg.svd(first.double().cpu(), full_matrices=False)
        directions = vectors[:components].float()
        return torch.ones(len(directions)), directions

    from sklearn.decomposition import IncrementalPCA

    batch = max(2 * components, 1000)
    found = IncrementalPCA(n_components=components)
    total = max(1, samples // batch)
    for step in range(total):
        found.partial_fit(_w(generator, batch, seed + step).double().numpy())
        if on_step is not None:
            on_step(Progress(step + 1, total, {}, "principal components"))
    deviations = torch.from_numpy(np.sqrt(found.explained_variance_)).float()
    return deviations, torch.from_numpy(found.components_).float()


def boundary(codes: Tensor, scores: Tensor, share: float = 0.1, seed: int = 0) -> Tensor:
    """InterFaceGAN (Shen et al. 2020, section 3.2): the normal of a linear SVM between the codes
    with the highest and the lowest scores.

    Args:
        codes: `[N, D]`.
        scores: `[N]`.
        share: of the codes taken from each end (0.02 published, of 500,000).
        seed: of the solver.

    Returns:
        The normal `[D]`, as long as half the distance between the two ends along it.
    """
    from sklearn.svm import LinearSVC

    count = max(2, int(len(codes) * share))
    if len(codes) < 2 * count or len(codes) != len(scores):
        raise ValueError(f"{len(codes)} codes and {len(scores)} scores are too few or differ")
    codes, order = codes.cpu(), scores.cpu().argsort()  # not every device has float64
    ends = torch.cat([codes[order[:count]], codes[order[-count:]]]).double()
    labels = np.repeat([0, 1], count)
    scale = float(ends.std())
    solver = LinearSVC(C=0.1, random_state=seed, max_iter=5000).fit(ends.numpy() / scale, labels)
    normal = F.normalize(torch.from_numpy(solver.coef_[0]), dim=0)
    gap = (ends[count:] @ normal).mean() - (ends[:count] @ normal).mean()
    return (normal * gap / 2).float()


def conditional(direction: Tensor, others: Sequence[Tensor]) -> Tensor:
    """A direction `[...]` without its part along others, of the same shape (InterFaceGAN, section
    3.3): moving along it leaves their attributes alone, to first order."""
    if not others:
        return direction
    return reject(direction.flatten(), [o.flatten() for o in others]).view_as(direction)


def text_scores(clip: ClipModel, named: Named) -> Scores:
    """Scores of pictures by CLIP: nearer to the one set of descriptions than to the other."""

    def mean(texts: Sequence[str]) -> Tensor:
        return torch.cat([embed_phrase(clip, t) for t in texts]).mean(dim=0)

    change = mean(named.more) - mean(named.less)
    return lambda images: clip.encode_image(images) @ change


@torch.no_grad()
def attribute_directions(
    generator: Generator,
    scorers: Mapping[str, Scores],
    layers: Mapping[str, Layers] | None = None,
    samples: int = 2000,
    seed: int = 0,
    truncation: float = 0.8,
    on_step: OnStep | None = None,
) -> Attributes:
    """InterFaceGAN directions of all attributes from one set of samples.

    Args:
        generator: draws.
        scorers: attribute to scores of pictures.
        layers: attribute to the rows of W+ it acts on; all by default.
        samples: faces drawn and scored.
        seed: of the faces.
        truncation: psi.
        on_step: told after every batch.
    """
    batch, codes = 16, []
    scores: dict[str, list[Tensor]] = {name: [] for name in scorers}
    total = -(-samples // batch)
    for step in range(total):
        w = generator.sample(batch, seed + step, truncation).w
        images = generator.synthesize(w)
        codes.append(w[:, 0].cpu())
        for name, scorer in scorers.items():
            scores[name].append(scorer(images).flatten().cpu())
        if on_step is not None:
            on_step(Progress(step + 1, total, {}, "scoring faces"))
    rows, found = torch.cat(codes), {}
    for name, values in scores.items():
        normal = boundary(rows, torch.cat(values), seed=seed)
        mask = layer_mask((layers or {}).get(name), generator.num_layers)[0]
        found[name] = normal[None].expand(generator.num_layers, -1) * mask
    return Attributes(found)


def _w(generator: Generator, count: int, seed: int) -> Tensor:
    return generator.sample(count, seed, 1.0).w[:, 0].cpu()
