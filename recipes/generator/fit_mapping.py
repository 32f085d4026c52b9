"""Fit the mapping network to the codes of the training faces.

    python -m recipes.generator.fit_mapping --data renders/train --run runs/generator --out \
        runs/mapping

The autoencoding start leaves a cloud of codes w but no way to draw one at random. The mapping
network is first written down as the cloud's Gaussian. A rectified flow (Liu et al. 2022, "Flow
Straight and Fast", equation 1) then learns to carry standard normals onto the cloud itself, and its
end points are distilled into the mapping network, z -> w.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.devices import fast_autocast
from multimodal.generators.stylegan2 import EqualLinear, MappingNetwork, StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from recipes.data import Faces
from recipes.generator.gaussian_mapping import write_gaussian
from recipes.loop import Run, RunConfig, start


@dataclass(frozen=True)
class Whitening:
    """Principal axes of the codes: `x = (w - mean) @ axes / scale` is roughly standard normal.

    Args:
        mean: `[D]`.
        axes: `[D, D]`, columns by falling variance.
        scale: `[D]`, standard deviations, floored so that empty axes stay small.
    """

    mean: Tensor
    axes: Tensor
    scale: Tensor

    def whiten(self, w: Tensor) -> Tensor:
        """`[N, D]` codes to coordinates."""
        return (w - self.mean) @ self.axes / self.scale

    def restore(self, x: Tensor) -> Tensor:
        """`[N, D]` coordinates to codes."""
        return (x * self.scale) @ self.axes.T + self.mean


def fit_whitening(w: Tensor, floor: float = 0.02) -> Whitening:
    """Whitening of codes `[N, D]`; deviations below `floor` of the largest are raised to it."""
    mean = w.mean(dim=0)
    values, axes = torch.linalg.eigh(torch.cov(w.T))  # rising; columns are axes
    scale = values.flip(0).clamp(min=0).sqrt()
    return Whitening(mean, axes.flip(1), scale.clamp(min=float(scale[0]) * floor))


class Flow(nn.Module):
    """Velocity field v(x, t) of a rectified flow: a residual MLP with the time added.

    Args:
        dim: size D of a code.
        width: hidden units.
        depth: residual blocks.
    """

    def __init__(self, dim: int, width: int = 1024, depth: int = 4) -> None:
        super().__init__()
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.enter = nn.Linear(dim, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
            )
            for _ in range(depth)
        )
        self.leave = nn.Linear(width, dim)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """`x [N, D]`, `t [N]` in [0, 1] -> velocity `[N, D]`."""
        rates = torch.exp(torch.linspace(0, 6, 32, device=x.device))
        phase = t[:, None] * rates
        time = self.time(torch.cat([phase.sin(), phase.cos()], dim=1))
        h = self.enter(x) + time
        for block in self.blocks:
            h = h + block(h + time)
        return self.leave(h)

    @torch.no_grad()
    def carry(self, x: Tensor, steps: int = 24) -> Tensor:
        """Follow the flow from normals `[N, D]` to whitened codes (Heun's method)."""
        for i in range(steps):
            t = torch.full((len(x),), i / steps, device=x.device)
            first = self(x, t)
            second = self(x + first / steps, t + 1 / steps)
            x = x + (first + second) / (2 * steps)
        return x


@torch.no_grad()
def encode_all(
    encoder: BundleEncoder, faces: Faces, device: torch.device, batch: int = 64
) -> Tensor:
    """The w of every face, `[N, D]` float32 on the CPU."""
    out = []
    for begin in range(0, len(faces), batch):
        images = faces.batch(np.arange(begin, min(begin + batch, len(faces)))).to(device)
        with fast_autocast(device):
            out.append(encoder.codes(images)[0].float().cpu())
    return torch.cat(out)


def train_flow(run: Run, codes: Tensor, steps: int, width: int, batch: int = 512) -> Flow:
    """Fit the flow to whitened codes `[N, D]`."""
    flow = Flow(codes.shape[1], width).to(codes.device)
    optimizer = torch.optim.AdamW(flow.parameters(), lr=1e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    average = copy.deepcopy(flow)
    for step in range(steps):
        x1 = codes[torch.randint(len(codes), (batch,), device=codes.device)]
        x1 = x1 + 0.05 * torch.randn_like(x1)  # keeps the flow from memorising single faces
        x0, t = torch.randn_like(x1), torch.rand(batch, device=codes.device)
        point = torch.lerp(x0, x1, t[:, None])
        with fast_autocast(codes.device):
            loss = F.mse_loss(flow(point, t).float(), x1 - x0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mine, theirs in zip(average.parameters(), flow.parameters(), strict=True):
                mine.lerp_(theirs, max(0.005, 1 / (step + 1)))
        run.step = step
        run.log({"flow": loss.detach()})
    return average.eval()


def distill(
    run: Run,
    mapping: MappingNetwork,
    flow: Flow,
    whitening: Whitening,
    z_dim: int,
    steps: int,
    pairs: int,
    batch: int = 512,
) -> None:
    """Teach `mapping` the flow's z -> w, in place, and set its average code."""
    first: EqualLinear = mapping.fc0  # type: ignore[assignment]
    z = torch.randn(pairs, z_dim, device=whitening.mean.device)
    z = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    ends = torch.cat([flow.carry(part) for part in z.split(2048)])
    # Stored weights are larger than used ones by the inverse of the rate's multiplier.
    rate = 1e-3 / first.bias_gain
    optimizer = torch.optim.Adam(mapping.parameters(), lr=rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for step in range(steps):
        index = torch.randint(len(z), (batch,), device=z.device)
        predicted = whitening.whiten(mapping(z[index])[:, 0])
        loss = ((predicted - ends[index]) * whitening.scale).square().mean()
        loss = loss / whitening.scale.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        run.step = step
        run.log({"distill": loss.detach()})
    with torch.no_grad():
        mapping.w_avg.copy_(mapping(torch.randn(20_000, z.shape[1], device=z.device))[:, 0].mean(0))


def fit(
    run: Run,
    generator: StyleGAN2,
    codes: Tensor,
    flow_steps: int,
    distill_steps: int,
    pairs: int,
    flow_width: int = 1024,
) -> None:
    """Fit `generator.mapping` to codes `[N, D]`, in place."""
    whitening = fit_whitening(codes.to(generator.device))
    if generator.mapping.depth > 2:
        write_gaussian(generator.mapping, whitening.mean, whitening.axes, whitening.scale)
    x = whitening.whiten(codes.to(generator.device))
    flow = train_flow(run, x, flow_steps, flow_width)
    generator.mapping.requires_grad_(True)
    distill(run, generator.mapping, flow, whitening, generator.config.z_dim, distill_steps, pairs)
    generator.requires_grad_(False)


def main() -> None:
    """Parse the command line, fit, and save the generator."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True, help="folder of train_generator")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--flow-steps", type=int, default=6000)
    parser.add_argument("--distill-steps", type=int, default=4000)
    parser.add_argument("--flow-width", type=int, default=1024, help="512 suffices on a CPU")
    parser.add_argument("--pairs", type=int, default=32_768, help="(z, w) pairs to distil from")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    from recipes.checkpoint import load_run

    run = start(RunConfig(options.out, options.flow_steps, seed=options.seed, log_every=200))
    generator, encoder = load_run(options.run, run.fabric.device)
    codes = encode_all(encoder, Faces(options.data, encoder.config.resolution), run.fabric.device)
    steps = (options.flow_steps, options.distill_steps)
    fit(run, generator, codes, *steps, options.pairs, options.flow_width)
    from multimodal.generators.checkpoints import save_generator

    save_generator(generator, options.out / "generator.safetensors")


if __name__ == "__main__":
    main()
