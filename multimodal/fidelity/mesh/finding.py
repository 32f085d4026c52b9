"""From pictures of aligned faces to their meshes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from multimodal.fidelity.mesh.network import SIDE, FaceMesh, load

WEIGHTS = Path(__file__).parent / "weights.safetensors"
MIDDLE, ROOM = (0.5, 0.53), 1.0
"""Where the first look is taken, in parts of an FFHQ crop's side, and its side."""
LARGER = 1.5
"""Side of the next look, in longest sides of the mesh: what the network was trained on."""


@torch.no_grad()
def face_meshes(pictures: Tensor, looks: int = 2) -> tuple[Tensor, Tensor]:
    """The meshes of faces in FFHQ-aligned pictures.

    Args:
        pictures: `[B, 3, S, S]` in [-1, 1].
        looks: how often the network looks, each time nearer at what it found before.

    Returns:
        points `[B, 468, 3]` in parts of the side from the outer corner (the depth too), and how
        surely each picture shows a face, `[B]` in [0, 1]; on the CPU.
    """
    pictures = pictures.detach().float().cpu()
    middles = torch.tensor(MIDDLE).expand(len(pictures), 2)
    sides = torch.full((len(pictures),), ROOM)
    for look in range(looks):
        crops = _looked_at(pictures, middles, sides)
        points, score = network()(crops)
        points = points / SIDE - torch.tensor([0.5, 0.5, 0.0])
        points = points * sides[:, None, None]
        points[..., :2] += middles[:, None]
        if look + 1 < looks:
            low, high = points[..., :2].amin(1), points[..., :2].amax(1)
            middles, sides = (low + high) / 2, (high - low).amax(1).clamp(0.2, 1.2) * LARGER
    return points, torch.sigmoid(score)


@lru_cache(maxsize=1)
def network() -> FaceMesh:
    """The network with its trained weights, loaded once."""
    return load(load_file(WEIGHTS))


def _looked_at(pictures: Tensor, middles: Tensor, sides: Tensor) -> Tensor:
    """Squares of the pictures as the network takes them, `[B, 3, 192, 192]` in [0, 1]."""
    theta = torch.zeros(len(pictures), 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = sides
    theta[:, :, 2] = middles * 2 - 1
    grid = F.affine_grid(theta, [len(pictures), 3, SIDE, SIDE], align_corners=False)
    seen = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return (seen + 1) / 2
