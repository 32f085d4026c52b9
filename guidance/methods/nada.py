"""StyleGAN-NADA (Gal et al. 2021): move a whole generator to another domain by words alone."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from guidance.losses import clip_loss, directional_loss
from guidance.targets import embed_phrase
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.types import ClipModel, OnStep, Progress


@dataclass(frozen=True)
class NadaConfig:
    """How a generator is adapted.

    Args:
        steps: optimiser steps; 300-1000 published.
        batch: faces a step.
        lr: learning rate of Adam.
        share: part of the layers trained at a time, chosen anew by how much the target moves them.
        select_every: steps between two choices of layers.
        select_batch: faces a choice is made on.
        truncation: psi of the faces.
        templates: prompt ensemble of both texts.
        seed: of the faces.
    """

    steps: int = 300
    batch: int = 2
    lr: float = 2e-3
    share: float = 2 / 3
    select_every: int = 50
    select_batch: int = 8
    truncation: float = 0.7
    templates: str = "long"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.steps < 1 or self.batch < 1:
            raise ValueError("share must lie in (0, 1], steps and batch must be positive")


def adapt(
    generator: StyleGAN2,
    clip: ClipModel,
    source: str,
    target: str,
    on_step: OnStep | None = None,
    config: NadaConfig | None = None,
) -> StyleGAN2:
    """A copy of a generator, moved from the domain of one text to that of another.

    The copy's mapping network, constants, style affines and toRGB layers stay as they were, so that
    codes and directions keep their meaning. Save it with `save_generator`.

    Args:
        generator: left unchanged.
        clip: judges.
        source: what the generator draws now ("a photo").
        target: what it should draw ("a sketch").
        on_step: told of every step.
        config: how.

    Raises:
        ValueError: the texts mean the same.
    """
    config = config or NadaConfig()
    words = [embed_phrase(clip, text, config.templates) for text in (source, target)]
    if float((words[1] - words[0]).norm()) < 1e-6:
        raise ValueError(f"{source!r} and {target!r} mean the same to this CLIP")
    student = copy.deepcopy(generator).eval().requires_grad_(False)
    adam, chosen = None, []
    for step in range(config.steps):
        if step % config.select_every == 0:
            chosen = choose_layers(student, clip, words[1], config, config.seed - 1 - step)
            adam = torch.optim.Adam(_train_only(student, chosen), lr=config.lr, betas=(0.0, 0.99))
        assert adam is not None
        w = generator.sample(config.batch, config.seed + step, config.truncation).w
        with torch.no_grad():
            before = clip.encode_image(generator.synthesize(w))
        after = clip.encode_image(student.synthesize(w))
        loss = directional_loss(after, before, words[1], words[0]).mean()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        if on_step is not None:
            message = f"training {len(chosen)} of {student.num_layers - 1} layers"
            losses = {"directional": float(loss.detach())}
            on_step(Progress(step + 1, config.steps, losses, message))
    return student.requires_grad_(False)


def choose_layers(
    generator: StyleGAN2, clip: ClipModel, target: Tensor, config: NadaConfig, seed: int
) -> list[int]:
    """Convolutions whose rows of W+ one step towards the target moves most (paper, section 4.3).

    Args:
        generator: being adapted.
        clip: judges.
        target: unit `[1, E]`.
        config: how many faces and layers.
        seed: of the faces.

    Returns:
        Indices of convolutions, in order.
    """
    with torch.no_grad():
        w = generator.sample(config.select_batch, abs(seed), config.truncation).w
    w = w.clone().requires_grad_()
    loss = clip_loss(clip.encode_image(generator.synthesize(w)), target).sum()
    moved = torch.autograd.grad(loss, w)[0].abs().mean(dim=(0, 2))
    convs = generator.synthesis.conv_layers()
    count = max(1, round(config.share * len(convs)))
    return sorted(moved[: len(convs)].topk(count).indices.tolist())


def _train_only(generator: StyleGAN2, layers: list[int]) -> list[nn.Parameter]:
    """Let only the chosen convolutions' weights, biases and noise strengths learn."""
    generator.requires_grad_(False)
    convs = generator.synthesis.conv_layers()
    parameters: list[nn.Parameter] = []
    for index in layers:
        layer = convs[index]
        parameters += [layer.weight, layer.bias, layer.noise_strength]
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters
