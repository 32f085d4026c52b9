"""The code and what a code cannot say: inversion in F/W+.

A picture has detail that no W+ code holds. Kang et al. 2021, "GAN Inversion for Out-of-Range Images
with Geometric Transformations" (section 3.1), and Yao et al. 2022, "A Style-Based GAN Encoder for
High Fidelity Reconstruction" (section 3.2), take the features of one layer beside the code. Here
the code is found first; then a change of that layer's features is, kept small, and it is added to
whatever the layer draws later, so that edits of the code move under it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.descent import adam
from multimodal.inversion.objective import Terms
from multimodal.inversion.options import HybridOptions, check_bounds
from multimodal.inversion.task import Method, Outcome, Task


@dataclass(frozen=True)
class FeatureOptions(HybridOptions):
    """F/W+; the fields of `HybridOptions` are those of the code's search.

    Args:
        side: resolution of the features, in pixels.
        feature_steps: of Adam on them.
        feature_lr: of Adam.
        small: weight of their mean square.
    """

    side: int = 32
    feature_steps: int = 100
    feature_lr: float = 0.05
    small: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds(
            feature_steps=(self.feature_steps, 1, 100_000),
            feature_lr=(self.feature_lr, 1e-8, 1e3),
            small=(self.small, 0, 1e6),
        )


def features(task: Task, options: FeatureOptions, find_code: Method = adam) -> Outcome:
    """Find the code by `find_code(task, options)`, then the features beside it.

    Returns:
        the code, and the change as the generator's `synthesis.b<side>.conv1.residual`.

    Raises:
        ValueError: not a StyleGAN2, or no layer of that side.
    """
    generator = task.generator
    if not isinstance(generator, StyleGAN2):
        family = getattr(generator, "family", type(generator).__name__)
        raise ValueError(f"features beside W+ need a StyleGAN2; this is a {family}")
    sides = generator.config.block_resolutions
    if options.side not in sides:
        raise ValueError(f"side {options.side} is not one of {', '.join(map(str, sides))}")
    code = find_code(task, options)
    layer = generator.synthesis.blocks[sides.index(options.side)].conv1
    change = torch.zeros(layer.residual_shape, device=generator.device, requires_grad=True)
    optimizer = torch.optim.Adam([change], lr=options.feature_lr)
    index = 2 * sides.index(options.side)
    best, lowest = change.detach().clone(), float("inf")
    for step in range(options.feature_steps):
        with torch.enable_grad():
            picture = generator.synthesize(
                code.latent.w,
                code.latent.noise or "const",
                lambda i, x: x + change if i == index else x,
            )
            terms: Terms = dict(task.objective(picture))
            terms["features"] = options.small * change.square().mean()[None]
            total = torch.stack([term.sum() for term in terms.values()]).sum()
            (change.grad,) = torch.autograd.grad(total, change)
        if not bool(total.isfinite()):
            task.notes.append("a loss was not finite: stopped at the best features")
            break
        if float(total.detach()) < lowest:
            best, lowest = change.detach().clone(), float(total.detach())
        optimizer.step()
        losses = {name: float(term.detach().sum()) for name, term in terms.items()}
        task.tell(code.steps + step + 1, code.steps + options.feature_steps, losses)
    key = f"synthesis.b{options.side}.conv1.residual"
    return replace(code, steps=code.steps + options.feature_steps, tuned={key: best})
