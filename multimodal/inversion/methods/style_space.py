"""Gradient descent on the style vectors themselves: S, the most detailed latent space.

Wu et al. 2021, "StyleSpace Analysis", section 3, embed pictures in W+ and read S off the code; here
every channel is free, so S reaches further and a code may lie where no W+ code leads.
"""

from __future__ import annotations

import torch
from torch import Tensor

from multimodal.inversion.descent import learning_rate
from multimodal.inversion.objective import Objective
from multimodal.inversion.options import DescentOptions
from multimodal.inversion.spaces import sample_w
from multimodal.types import Generator, Latent, OnStep, Progress

SAMPLES = 1024


def invert_styles(
    generator: Generator,
    objective: Objective,
    options: DescentOptions | None = None,
    seed: int = 0,
    on_step: OnStep | None = None,
) -> Latent:
    """Adam from the average face's styles, in units of each channel's deviation.

    Args:
        generator: the network to invert.
        objective: distances to the picture.
        options: `steps`, `lr`, `rampup`, `rampdown` and `prior` are read.
        seed: of the codes whose styles give the deviations.
        on_step: told of every step.

    Returns:
        the best code found: its styles, beside the average `w`.
    """
    options = options or DescentOptions()
    centre, spread = _statistics(generator, seed)
    moved = [torch.zeros_like(part).requires_grad_(True) for part in centre]
    optimizer = torch.optim.Adam(moved, betas=(0.9, 0.999))
    best, lowest = [part.detach().clone() for part in moved], float("inf")
    for step in range(options.steps):
        with torch.enable_grad():
            image = generator.synthesize_styles(_placed(centre, spread, moved))
            terms = {name: term.sum() for name, term in objective(image).items()}
            if options.prior:
                flat = torch.cat(moved, dim=1)
                terms["prior"] = options.prior * flat.square().mean()
            total = torch.stack(list(terms.values())).sum()
            gradients = torch.autograd.grad(total, moved)
        if float(total.detach()) < lowest:
            best, lowest = [part.detach().clone() for part in moved], float(total.detach())
        for part, gradient in zip(moved, gradients, strict=True):
            part.grad = gradient
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step / options.steps, options)
        optimizer.step()
        if on_step is not None:
            losses = {name: float(term.detach()) for name, term in terms.items()}
            on_step(Progress(step + 1, options.steps, losses))
    w_plus = generator.w_avg.expand(1, generator.num_layers, -1).clone()
    return Latent(w_plus, tuple(_placed(centre, spread, best)))


@torch.no_grad()
def _statistics(generator: Generator, seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """The average face's styles, and how far each channel strays: both `[1, C_i]` a style."""
    rows = generator.num_layers
    styles = generator.styles(sample_w(generator, seed, SAMPLES)[:, None].expand(-1, rows, -1))
    centre = generator.styles(generator.w_avg.expand(1, rows, -1))
    return list(centre), [part.std(dim=0, keepdim=True).clamp(min=1e-6) for part in styles]


def _placed(centre: list[Tensor], spread: list[Tensor], moved: list[Tensor]) -> list[Tensor]:
    return [c + s * m for c, s, m in zip(centre, spread, moved, strict=True)]
