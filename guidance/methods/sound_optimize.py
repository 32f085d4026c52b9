"""Sound-guided latent optimisation with adaptive layer masking (Lee et al. 2022, "Sound-Guided
Semantic Image Manipulation", section 3.2).

The paper weighs the change of every row of W+ by a gate that is learned with it. Free gates would
close and let everything change; here they share a fixed sum, so that the penalty moves away from
the rows the sound needs and on to the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from guidance.common import draw, read_options
from guidance.losses import clip_loss, directional_loss, identity_loss
from guidance.methods.optimize import Objective, OptimizeConfig, Terms, minimise
from multimodal.types import EditRequest, Offset, OnStep, Toolkit


@dataclass(frozen=True)
class SoundConfig:
    """Settings of the optimisation; the weights are the published ones but for `directional`.

    Args:
        steps: at most; the paper takes 300.
        lr: peak learning rate of Adam.
        clip: weight of the similarity to the sound.
        directional: weight of the directional loss, against the gap between the embeddings of
            pictures and sounds; 0 in the paper.
        l2: weight of the gated summed squares of the change.
        identity: weight of the identity term (ignored without an identity network).
        masking: learn which rows may change.
        patience: as in `OptimizeConfig`.
    """

    steps: int = 80
    lr: float = 0.05
    clip: float = 1.07
    directional: float = 0.5
    l2: float = 0.008
    identity: float = 0.2
    masking: bool = True
    patience: int = 25


class SoundOptimize:
    """Sound-guided optimisation as a `Guidance`; takes any target.

    Args:
        toolkit: generator, CLIP and, where present, identity.
    """

    name = "sound-optimize"

    def __init__(self, toolkit: Toolkit) -> None:
        self.toolkit = toolkit

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The best offset found, in W+."""
        config = read_options(SoundConfig, request.options)
        settings = OptimizeConfig(steps=config.steps, lr=config.lr, patience=config.patience)
        gates = torch.zeros(request.latent.w.shape[1], device=request.latent.w.device)
        gates.requires_grad_(config.masking)
        objective = sound_objective(self.toolkit, request, config, gates)
        extra = [gates] if config.masking else []
        return minimise(self.toolkit, request.latent, objective, settings, on_step, extra=extra)


def row_weights(gates: Tensor) -> Tensor:
    """Weights `[L]` of the rows' penalties: positive, with mean one."""
    return gates.softmax(dim=0) * len(gates)


def sound_objective(
    toolkit: Toolkit, request: EditRequest, config: SoundConfig, gates: Tensor
) -> Objective:
    """The paper's loss (equation 6) with gated rows."""
    device = toolkit.clip.device
    target, neutral = request.target.to(device), request.neutral.to(device)
    with torch.no_grad():
        original = draw(toolkit.generator, request.latent)
        before = toolkit.clip.encode_image(original)

    def objective(image: Tensor, offset: Offset) -> Terms:
        assert offset.w is not None
        after = toolkit.clip.encode_image(image)
        squares = offset.w.square().sum(dim=(0, 2))
        terms = {
            "clip": config.clip * clip_loss(after, target).mean(),
            "l2": config.l2 * (row_weights(gates) * squares).sum(),
        }
        if config.directional:
            loss = directional_loss(after, before, target, neutral).mean()
            terms["directional"] = config.directional * loss
        if toolkit.identity is not None and config.identity:
            kept = identity_loss(toolkit.identity, image, original).mean()
            terms["identity"] = config.identity * kept
        return terms

    return objective
