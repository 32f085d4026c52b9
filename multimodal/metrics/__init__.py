"""How close are two faces? Pixels, perception, geometry, and distances between sets of pictures.

Pictures are `[B, 3, H, W]` in [-1, 1] everywhere; per-picture figures come back as `[B]`.
"""

from multimodal.metrics.features import ClassProbabilities, FeatureExtractor, efficientnet_lite0
from multimodal.metrics.perception import Lpips
from multimodal.metrics.pixels import mae, mse, psnr, rmse, ssim
from multimodal.metrics.sets import (
    frechet_distance,
    frechet_segmentation,
    inception_score,
    kernel_distance,
    sliced_wasserstein,
)
from multimodal.metrics.vectors import (
    angle_difference,
    cosine,
    cosine_editability,
    landmark_distance,
)

__all__ = [
    "ClassProbabilities",
    "FeatureExtractor",
    "Lpips",
    "angle_difference",
    "cosine",
    "cosine_editability",
    "efficientnet_lite0",
    "frechet_distance",
    "frechet_segmentation",
    "inception_score",
    "kernel_distance",
    "landmark_distance",
    "mae",
    "mse",
    "psnr",
    "rmse",
    "sliced_wasserstein",
    "ssim",
]
