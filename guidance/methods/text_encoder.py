"""TediGAN (Xia et al. 2021): a text encoder that lands a caption in W+ next to its picture.

The paper's encoder was never released; this one reads the joint embedding space, so that a sound
or a picture may stand where the caption stands. Noise beside the embedding makes one caption give
many faces. Edits mix chosen rows of W+ and may be refined on the instance (section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from guidance.common import read_options
from guidance.controls.layers import layer_mask
from guidance.methods.optimize import OptimizeConfig, clip_objective, minimise
from guidance.methods.stored import load_network, own_file, save_network
from multimodal.types import EditRequest, Latent, Offset, OnStep, Toolkit

FILE_NAME = "text_encoder.safetensors"
KIND = "text encoder"


@dataclass(frozen=True)
class TextEncoderConfig:
    """The shape of the text encoder.

    Args:
        embedding: size E of the joint space.
        layers: rows L of W+.
        dim: size D of a row.
        noise: size of the noise vector.
        hidden: width of the hidden layers.
    """

    embedding: int
    layers: int
    dim: int
    noise: int = 32
    hidden: int = 512


class TextEncoder(nn.Module):
    """Embedding and noise to W+, around the average code.

    Args:
        config: its shape.
    """

    w_avg: Tensor
    w_std: Tensor

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.hidden
        self.body = nn.Sequential(
            nn.Linear(config.embedding + config.noise, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.LayerNorm(width),
            nn.Linear(width, config.layers * config.dim),
        )
        self.register_buffer("w_avg", torch.zeros(config.layers, config.dim))
        self.register_buffer("w_std", torch.ones(config.layers, config.dim))

    def forward(self, embedding: Tensor, noise: Tensor) -> Tensor:
        """`[B, E]` unit and `[B, noise]` normal -> W+ `[B, L, D]`."""
        scaled = F.normalize(embedding, dim=-1) * self.config.embedding**0.5
        flat = self.body(torch.cat([scaled, noise], dim=-1))
        return self.w_avg + self.w_std * flat.unflatten(1, (self.config.layers, self.config.dim))

    def draw_noise(self, count: int, seed: int) -> Tensor:
        """Noise `[count, noise]` of a seed, drawn on the CPU; rows do not depend on `count`."""
        source = torch.Generator().manual_seed(seed)
        rows = [torch.randn(1, self.config.noise, generator=source) for _ in range(count)]
        return torch.cat(rows).to(self.w_avg.device)


def save_text_encoder(encoder: TextEncoder, path: Path | str, about: dict[str, Any]) -> Path:
    """Write as `.safetensors` with its configuration."""
    return save_network(encoder, path, KIND, about)


def load_text_encoder(path: Path | str) -> TextEncoder:
    """Read what `save_text_encoder` wrote.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it holds something else.
    """
    return load_network(path, KIND, lambda config: TextEncoder(TextEncoderConfig(**config)))


@dataclass(frozen=True)
class TextEncoderOptions:
    """Settings of one edit.

    Args:
        layers: rows of W+ taken from the text: names of groups, indices, or None for all.
        relative: add the difference between what the text and the neutral text give, instead of
            the text's rows themselves; keeps the person far better than the paper's mixing.
        share: of the text in the mixed rows, 0..1 (absolute mixing only).
        gain: multiple of that difference (relative only).
        steps: steps of instance-level optimisation afterwards; 0 for none.
        refine: options of that optimisation (fields of `OptimizeConfig`).
    """

    layers: Sequence[int | str] | str | None = None
    relative: bool = True
    share: float = 0.6
    gain: float = 1.0
    steps: int = 0
    refine: dict[str, Any] | None = None


class TextEncoding:
    """The text encoder as a `Guidance` and as a source of new faces.

    Args:
        toolkit: the network is read from `folder/text_encoder.safetensors`.
        network: a network already loaded.
    """

    name = "text-encoder"

    def __init__(self, toolkit: Toolkit, network: TextEncoder | None = None) -> None:
        self.toolkit = toolkit
        self._network = network

    @property
    def network(self) -> TextEncoder:
        """The trained network.

        Raises:
            FileNotFoundError: this model has none.
        """
        if self._network is None:
            path = own_file(
                self.toolkit, FILE_NAME, "this model has no text encoder: train one, or use another"
            )
            network = load_text_encoder(path).to(self.toolkit.generator.device)
            wanted = (
                self.toolkit.clip.dim,
                self.toolkit.generator.num_layers,
                self.toolkit.generator.style_dim,
            )
            config = network.config
            if (config.embedding, config.layers, config.dim) != wanted:
                raise ValueError(f"{path} belongs to another generator or CLIP")
            self._network = network
        return self._network

    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The mixed rows as an offset, refined where asked."""
        options = read_options(TextEncoderOptions, request.options)
        if not 0 <= options.share <= 1:
            raise ValueError(f"share {options.share} is not in 0..1")
        w = request.latent.w
        with torch.no_grad():
            noise = self.network.draw_noise(1, request.seed)
            wanted = self.network(request.target.to(w.device), noise)
            if options.relative:
                change = wanted - self.network(request.neutral.to(w.device), noise)
                change = options.gain * change
            else:
                change = options.share * (wanted - w)
            offset = Offset(w=change * layer_mask(options.layers, w.shape[1]).to(w.device))
        if not options.steps:
            return offset
        config = read_options(OptimizeConfig, {**(options.refine or {}), "steps": options.steps})
        objective = clip_objective(self.toolkit, request, config)
        return minimise(self.toolkit, request.latent, objective, config, on_step, start=offset)

    @torch.no_grad()
    def generate(
        self, target: Tensor, seed: int = 0, truncation: float = 0.8, candidates: int = 4
    ) -> Latent:
        """A new face for a target `[1, E]`: of `candidates` draws, the one CLIP likes best.

        Args:
            target: unit embedding.
            seed: another seed, another face.
            truncation: psi towards the average code.
            candidates: draws to choose from.
        """
        if candidates < 1:
            raise ValueError(f"candidates {candidates} must be positive")
        noise = self.network.draw_noise(candidates, seed)
        codes = self.network(target.to(noise.device).expand(candidates, -1), noise)
        codes = torch.lerp(self.network.w_avg.expand_as(codes), codes, truncation)
        if candidates == 1:
            return Latent(codes)
        scores = [
            self.toolkit.clip.encode_image(self.toolkit.generator.synthesize(code[None]))
            @ target.to(self.toolkit.clip.device).T
            for code in codes
        ]
        return Latent(codes[int(torch.cat(scores).argmax())][None])
