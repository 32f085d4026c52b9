"""Where the parts of a face lie in a drawing and in its picture: a loss of its geometry."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from multimodal.fidelity.mesh.finding import network
from multimodal.fidelity.mesh.network import SIDE, FaceMesh
from multimodal.fidelity.mesh.points import EYES

SEEN, LOWER = 0.86, 0.06
"""Side of the square that the mesh's network sees of an FFHQ crop, and how far it lies below its
middle (of half a side): what it was trained on is a face with a quarter of its size around it."""
SMOOTH = 1e-3
"""Distances below this share of the inter-ocular one count by their square."""


class MeshDistance:
    """How far the 468 points of a drawn face lie from those of the picture.

    Args:
        device: where the pictures are.
    """

    def __init__(self, device: torch.device) -> None:
        self.network: FaceMesh = network().to(device)
        theta = torch.tensor([[[SEEN, 0.0, 0.0], [0.0, SEEN, LOWER]]], device=device)
        self.theta = theta

    def points(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures `[B, 3, S, S]` in [-1, 1] -> points `[B, 468, 2]` in pixels of the crop, and how
        surely there is a face, `[B]` in [0, 1]."""
        theta = self.theta.expand(len(pictures), -1, -1)
        grid = F.affine_grid(theta, [len(pictures), 3, SIDE, SIDE], align_corners=False)
        seen = F.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
        points, score = self.network((seen + 1) / 2)
        return points[..., :2], torch.sigmoid(score)

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor:
        """Mean distance in parts of the inter-ocular distance; pictures in which no face is found
        count as little as it is sure of them."""
        with torch.no_grad():
            there, sure = self.points(wanted)
            left, right = (there[:, list(eye)].mean(dim=1) for eye in EYES)
            apart = (left - right).norm(dim=-1).clamp(min=SIDE * 0.1)
        here, _ = self.points(made)
        away = (here - there) / apart[:, None, None]
        distances = (away.square().sum(dim=-1) + SMOOTH**2).sqrt().mean(dim=1)
        return (distances * sure).mean()
