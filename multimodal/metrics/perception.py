"""How far two pictures are apart to a person's eye (LPIPS)."""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.files.lpips_weights import lpips_backbone
from multimodal.metrics.pixels import check_pair


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
        check_pair(first, second)
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
