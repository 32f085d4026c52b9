"""How far two sets of pictures are apart, and how varied one is."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet distance of two feature sets `[N, F]`, `[M, F]` (Heusel et al. 2017, equation 6)."""
    _check_features(first, second)
    mean_a, mean_b = first.mean(axis=0), second.mean(axis=0)
    cov_a, cov_b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # tr sqrt(A B) through the symmetric form sqrt(A) B sqrt(A), which stays real.
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(min=0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(min=0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Unbiased squared MMD of `[N, F]` and `[M, F]`, cubic kernel (Binkowski et al. 2018)."""
    _check_features(first, second)
    scale = first.shape[1]

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / scale + 1) ** 3

    n, m = len(first), len(second)
    xx, yy = kernel(first, first), kernel(second, second)
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within - 2 * kernel(first, second).mean())


def frechet_segmentation(first: np.ndarray, second: np.ndarray) -> float:
    """Frechet segmentation distance: how differently two sets of pictures are made up (Bau et al.
    2019, "Seeing What a GAN Cannot Generate", section 3.1).

    Args:
        first, second: share of each picture's pixels that every class has, `[N, K]` and `[M, K]`
            (`multimodal.parsing.FaceParser.areas`; the paper parses scenes, we faces).

    Raises:
        ValueError: not shares, or other shapes.
    """
    for found in (first, second):
        if found.ndim != 2 or (found < 0).any() or not np.allclose(found.sum(axis=1), 1, atol=1e-3):
            raise ValueError(f"{found.shape}: need [N, K] shares of the pixels that sum to 1")
    return frechet_distance(first, second)


def inception_score(probabilities: np.ndarray, splits: int = 10) -> tuple[float, float]:
    """Mean and standard deviation over splits of `exp(E KL(p(y|x) || p(y)))`, in 1..K (Salimans et
    al. 2016, section 4).

    The figure depends on the classifier: published ones use Inception v3; say which one yours are
    of (`ClassProbabilities` is EfficientNet-Lite0), and compare only figures of the same.

    Args:
        probabilities: of K classes for each of N pictures, `[N, K]`, rows that sum to 1.
        splits: parts the pictures are dealt into.

    Raises:
        ValueError: not probabilities, or fewer pictures than splits.
    """
    found = np.asarray(probabilities, np.float64)
    fits = found.ndim == 2 and 1 <= splits <= len(found)
    if not fits or (found < 0).any() or not np.allclose(found.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"{found.shape}: need [N, K] probabilities, N of {splits} or more")
    scores = []
    for part in np.array_split(found, splits):
        mean = part.mean(axis=0, keepdims=True)
        logs = np.log(part.clip(min=1e-16)) - np.log(mean.clip(min=1e-16))
        scores.append(float(np.exp((part * logs).sum(axis=1).mean())))
    return float(np.mean(scores)), float(np.std(scores))


def sliced_wasserstein(
    first: Tensor, second: Tensor, patches: int = 64, directions: int = 256, seed: int = 0
) -> dict[int, float]:
    """Sliced Wasserstein distance of two sets of pictures, by the side of each pyramid level
    (Karras et al. 2018, section 5; there times 1000).

    Patches of 7 x 7 pixels of each level of a Laplacian pyramid, down to 16 px, are normalised a
    colour over both sets' own patches and compared along random directions, where the distance of
    two sorted rows is exact. Coarse levels tell of shapes, fine ones of texture.

    Args:
        first, second: `[N, 3, H, W]` and `[M, 3, H, W]`, square, of one size, a power of two from
            16 px up; N and M may differ by what is left out of the larger.
        patches: of each picture and level.
        directions: unit vectors.
        seed: of patches and directions.

    Raises:
        ValueError: other shapes.
    """
    side = first.shape[-1] if first.ndim == 4 else 0
    square = first.shape[1:] == second.shape[1:] == (3, side, side)
    if not square or side < 16 or side & (side - 1):
        raise ValueError(
            f"pictures {tuple(first.shape)} and {tuple(second.shape)}: need two sets "
            "[N, 3, S, S], S a power of two from 16 up"
        )
    count = min(len(first), len(second))
    source = torch.Generator().manual_seed(seed)
    found = {}
    for one, other in zip(_pyramid(first[:count]), _pyramid(second[:count]), strict=True):
        corners = torch.randint(0, one.shape[-1] - PATCH + 1, (patches, 2), generator=source)
        ways = torch.randn(3 * PATCH**2, directions, generator=source)
        ways = (ways / ways.norm(dim=0)).to(one)
        rows = [(_patches(level, corners) @ ways).sort(dim=0).values for level in (one, other)]
        found[one.shape[-1]] = float((rows[0] - rows[1]).abs().mean())
    return found


def _pyramid(images: Tensor) -> list[Tensor]:
    """The Laplacian pyramid, finest first, down to 16 px."""
    levels, left = [], images.float()
    while left.shape[-1] > 16:
        small = F.interpolate(left, scale_factor=0.5, mode="bilinear", antialias=True)
        large = F.interpolate(small, size=left.shape[-2:], mode="bilinear")
        levels.append(left - large)
        left = small
    return [*levels, left]


def _patches(level: Tensor, corners: Tensor) -> Tensor:
    """`[N * P, 3 * 49]`, of mean 0 and deviation 1 a colour."""
    cut = [level[:, :, y : y + PATCH, x : x + PATCH] for y, x in corners.tolist()]
    found = torch.cat(cut)
    mean = found.mean(dim=(0, 2, 3), keepdim=True)
    return ((found - mean) / found.std(dim=(0, 2, 3), keepdim=True).clamp(min=1e-8)).flatten(1)


def _check_features(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"features {first.shape} and {second.shape}: need [N, F] and [M, F]")
    if min(len(first), len(second)) < 2:
        raise ValueError("set distances need at least two pictures on each side")
