"""Descent in S: it comes closer, twice the same way, to a code that draws what it says."""

from __future__ import annotations

import torch

from multimodal.generators import load_generator
from multimodal.inversion.methods.style_space import invert_styles
from multimodal.inversion.objective import Objective
from multimodal.inversion.options import DescentOptions, Weights
from multimodal.types import Progress


def test_styles_come_closer_and_are_the_same_again() -> None:
    generator = load_generator("tiny", "cpu")
    target = generator.synthesize(generator.sample(1, 3, 1.0).w).detach()
    objective = Objective(target, Weights())
    steps: list[Progress] = []
    options = DescentOptions(steps=15, lr=0.1, prior=1e-3)
    found = invert_styles(generator, objective, options, on_step=steps.append)
    again = invert_styles(generator, objective, options)
    assert found.styles is not None
    assert again.styles is not None
    assert all(torch.equal(a, b) for a, b in zip(found.styles, again.styles, strict=True))
    start = generator.synthesize(found.w)
    image = generator.synthesize_styles(found.styles)
    assert float(objective.mse(image)) < 0.8 * float(objective.mse(start))
    assert [len(steps), steps[-1].total] == [15, 15]
    assert {"pixels", "prior"} <= set(steps[0].losses)
