"""A discriminator on the features of LPIPS' AlexNet, which the perceptual loss computes anyway.

Projected GANs (Sauer et al. 2021, "Projected GANs Converge Faster"): judging frozen features of a
trained network instead of pixels needs a tenth of the pictures; here it costs almost nothing more.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.devices import fast_autocast
from multimodal.metrics import Lpips

WIDTHS = (64, 192, 384, 256, 256)
"""Channels of AlexNet's five rectified convolutions."""


class LpipsFeatures(nn.Module):
    """The features that LPIPS (alex) compares, and the distance between two sets of them.

    Args:
        source: a file of its convolutions, where they are not the installed ones.
    """

    def __init__(self, source: Path | None = None) -> None:
        super().__init__()
        self.network = Lpips("alex", source).network

    def forward(self, images: Tensor) -> list[Tensor]:
        """Pictures `[B, 3, H, W]` in [-1, 1], 32 px or more -> five maps `[B, C, h, w]`, unit
        length along the channels."""
        if images.shape[-1] < 64:  # too small for the network
            images = F.interpolate(images, scale_factor=2.0)
        with fast_autocast(images.device):
            maps = self.network.net(self.network.scaling_layer(images))
        return [F.normalize(m.float(), dim=1, eps=1e-8) for m in maps]

    def distance(self, fake: list[Tensor], real: list[Tensor]) -> Tensor:
        """Mean LPIPS of a batch (Zhang et al. 2018, equation 1)."""
        terms = [
            lin((a - b).square()).mean()
            for lin, a, b in zip(self.network.lins, fake, real, strict=True)
        ]
        return torch.stack(terms).sum()


class Critic(nn.Module):
    """One small convolutional judge a feature map; each says real or drawn, patch by patch."""

    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, hidden, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(hidden, hidden, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(hidden, 1, 1),
            )
            for width in WIDTHS
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps -> logits `[B, 1, h, w]` each."""
        # Unit vectors of C channels have entries of size C**-0.5.
        scaled = [m * m.shape[1] ** 0.5 for m in maps]
        return [judge(m) for judge, m in zip(self.judges, scaled, strict=True)]


def critic_loss(critic: Critic, fake: list[Tensor], real: list[Tensor]) -> Tensor:
    """Hinge loss of the critic, mean over the maps (Lim and Ye 2017)."""
    terms = [
        F.relu(1 - r).mean() + F.relu(1 + f).mean()
        for r, f in zip(critic(real), critic(fake), strict=True)
    ]
    return torch.stack(terms).mean()


def deceive_loss(critic: Critic, fake: list[Tensor]) -> Tensor:
    """The generator's side of the hinge loss."""
    critic.requires_grad_(False)
    loss = torch.stack([-logits.mean() for logits in critic(fake)]).mean()
    critic.requires_grad_(True)
    return loss
