"""How good a reconstruction is, by every measure the project has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from apps.evaluation.setting import Row, Setting
from multimodal.faces import detect_faces, head_pose
from multimodal.images import to_pil, to_tensor
from multimodal.metrics import angle_difference, landmark_distance, mse, psnr, ssim

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

FIGURES = ("lpips", "psnr", "ssim", "mse", "identity", "landmarks", "pose", "found", "seconds")

ABOUT = (
    "`lpips`, `psnr` (dB), `ssim`, `mse` of pictures in [-1, 1]; `identity`: cosine; `landmarks`: "
    "mean distance of 68 points in units of the distance of the eyes, `pose`: degrees, both over "
    "the share `found` in which a detector sees a face; `seconds` a face."
)


@dataclass(frozen=True)
class Target:
    """A face to be reconstructed.

    Args:
        image: at the generator's size, `[1, 3, R, R]` in [-1, 1].
        landmarks: as the detector sees them `[68, 2]`, or None.
    """

    image: torch.Tensor
    landmarks: np.ndarray | None

    @classmethod
    def of(cls, aligned: Image.Image, setting: Setting) -> Target:
        """An aligned picture at the generator's size."""
        return cls(to_tensor(aligned).to(setting.editor.device), points_of(aligned))


def points_of(image: Image.Image) -> np.ndarray | None:
    """68 points `[68, 2]` of the largest face a detector sees, or None."""
    faces = detect_faces(image)
    return faces[0].landmarks if faces else None


@torch.no_grad()
def quality(setting: Setting, target: Target, drawn: torch.Tensor) -> Row:
    """Figures of one reconstruction `[1, 3, R, R]`."""
    tools, drawn = setting.editor.toolkit, drawn.clamp(-1, 1)
    row: Row = {
        "lpips": None if tools.lpips is None else float(tools.lpips(drawn, target.image)),
        "psnr": float(psnr(drawn, target.image)),
        "ssim": float(ssim(drawn, target.image)),
        "mse": float(mse(drawn, target.image)),
    }
    if tools.identity is not None:
        row["identity"] = float((tools.identity(drawn) * tools.identity(target.image)).sum())
    return row | _geometry(target, drawn)


def _geometry(target: Target, drawn: torch.Tensor) -> Row:
    """Landmark and pose distance, where the target's face is seen at all."""
    if target.landmarks is None:
        return {"landmarks": None, "pose": None, "found": None}
    points = points_of(to_pil(drawn))
    if points is None:
        return {"landmarks": None, "pose": None, "found": 0.0}
    pairs = [torch.from_numpy(p)[None] for p in (target.landmarks, points)]
    poses = [torch.tensor([head_pose(p)]) for p in (target.landmarks, points)]
    return {
        "landmarks": float(landmark_distance(*pairs)),
        "pose": float(angle_difference(*poses)),
        "found": 1.0,
    }
