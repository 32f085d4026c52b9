"""The PCA statistics behind PN and PN+, estimated once a generator and kept.

Zhu et al. 2020, "Improved StyleGAN Embedding: Where are the Good Latents?", section 3.2: P is close
to a Gaussian, so centring and whitening it gives codes in which squared length measures how
plausible a face is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import cache_dir
from multimodal.generators.native import write_safetensors
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.latents import p_to_w, w_to_p

SAMPLES = 50_000
BATCH = 2048


@dataclass(frozen=True)
class PNStatistics:
    """The Gaussian of P.

    Args:
        mean: `[D]`.
        components: principal directions, rows `[D, D]`, orthonormal, largest variance first.
        scale: standard deviation along each, `[D]`.
    """

    mean: Tensor
    components: Tensor
    scale: Tensor

    def p_to_pn(self, p: Tensor) -> Tensor:
        """P or P+ `[..., D]` to PN or PN+."""
        return (p - self.mean) @ self.components.t() / self.scale

    def pn_to_p(self, v: Tensor) -> Tensor:
        """PN or PN+ `[..., D]` to P or P+: the inverse of `p_to_pn`."""
        return (v * self.scale) @ self.components + self.mean

    def w_to_pn(self, w: Tensor) -> Tensor:
        """W or W+ to PN or PN+."""
        return self.p_to_pn(w_to_p(w))

    def pn_to_w(self, v: Tensor) -> Tensor:
        """PN or PN+ to W or W+."""
        return p_to_w(self.pn_to_p(v))

    def distance(self, w: Tensor) -> Tensor:
        """Mean squared PN coordinate of W or W+, `[B]`: about 1 for sampled codes."""
        return self.w_to_pn(w).square().flatten(1).mean(dim=1)

    def to(self, device: torch.device | str) -> PNStatistics:
        """The same statistics on another device."""
        return PNStatistics(self.mean.to(device), self.components.to(device), self.scale.to(device))

    def save(self, path: Path) -> str:
        """Write `.safetensors` under a temporary name first; the SHA-256 is returned."""
        tensors = {"mean": self.mean, "components": self.components, "scale": self.scale}
        return write_safetensors(path, {name: t.cpu() for name, t in tensors.items()})

    @staticmethod
    def load(path: Path) -> PNStatistics:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: something else is in it.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no PN statistics at {path}")
        try:
            tensors = read_tensors(path)
            found = PNStatistics(tensors["mean"], tensors["components"], tensors["scale"])
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path} does not hold PN statistics ({error})") from error
        size = len(found.mean)
        if found.components.shape != (size, size) or found.scale.shape != (size,):
            raise ValueError(f"{path} does not hold PN statistics: the shapes do not fit")
        return found


@torch.no_grad()
def estimate_pn(generator: StyleGAN2, samples: int = SAMPLES, seed: int = 0) -> PNStatistics:
    """PCA of P over sampled codes, in batches.

    Args:
        generator: whose mapping network is sampled.
        samples: codes drawn; at least two.
        seed: of the noise (drawn on the CPU).
    """
    if samples < 2:
        raise ValueError(f"{samples} samples asked for, at least 2 are needed")
    size, source = generator.style_dim, torch.Generator().manual_seed(seed)
    total = torch.zeros(size, dtype=torch.float64)
    outer = torch.zeros(size, size, dtype=torch.float64)
    for start in range(0, samples, BATCH):
        count = min(BATCH, samples - start)
        z = torch.randn(count, generator.config.z_dim, generator=source)
        p = w_to_p(generator.mapping(z.to(generator.device))[:, 0]).cpu().double()
        total += p.sum(dim=0)
        outer += p.t() @ p
    mean = total / samples
    variances, directions = torch.linalg.eigh(outer / samples - torch.outer(mean, mean))
    variances, directions = variances.flip(0), directions.flip(1)
    # Directions the mapping never uses keep a small scale, so that the map stays invertible.
    floor = variances[0].clamp_min(1e-12) * 1e-8
    statistics = mean, directions.t(), variances.clamp_min(floor).sqrt()
    return PNStatistics(*(t.float().contiguous() for t in statistics)).to(generator.device)


def pn_statistics(
    generator: StyleGAN2, folder: Path | None = None, samples: int = SAMPLES, seed: int = 0
) -> PNStatistics:
    """The statistics of a generator, estimated at most once.

    Args:
        generator: the mapping network's weights, with `samples` and `seed`, are the key.
        folder: where the model lives; None keeps them in the user's cache.
        samples: as in `estimate_pn`.
        seed: as in `estimate_pn`.
    """
    name = f"pn-{mapping_digest(generator)[:16]}-{samples}-{seed}.safetensors"
    path = (cache_dir() if folder is None else folder) / name
    if path.is_file():
        try:
            return PNStatistics.load(path).to(generator.device)
        except ValueError:
            path.unlink(missing_ok=True)  # cut off while it was written elsewhere: made anew
    statistics = estimate_pn(generator, samples, seed)
    statistics.save(path)
    return statistics


def mapping_digest(generator: StyleGAN2) -> str:
    """SHA-256 over the mapping network's parameters."""
    digest = hashlib.sha256()

    for key, tensor in sorted(generator.mapping.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
