"""StyleCLIP latent mapper (Patashnik et al. 2021, section 5): a small network for one prompt."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from guidance.common import load_tensors, read_options, save_tensors
from guidance.losses import clip_loss, directional_loss, identity_loss
from multimodal.files.torch_files import load_torch
from multimodal.files.untrusted.building import within
from multimodal.files.weights import atomic
from multimodal.generators.stylegan2 import SQRT2, EqualLinear
from multimodal.types import EditRequest, Offset, OnStep, Progress, Toolkit

LEVELS = ("coarse", "medium", "fine")
_KEYS = {"coarse": "course_mapping", "medium": "medium_mapping", "fine": "fine_mapping"}
SUFFIXES = (".pt", ".pth", ".safetensors")
EDIT_SCALE = 0.1
MAX_BYTES = 1 << 29


@dataclass(frozen=True)
class MapperConfig:
    """The shape of a mapper.

    Args:
        dim: size of a row of W+.
        levels: which of coarse (rows 0-3), medium (4-7) and fine (8-) are mapped.
    """

    dim: int = 512
    levels: tuple[str, ...] = LEVELS

    def __post_init__(self) -> None:
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise ValueError(f"levels {self.levels} are not among {LEVELS}")


class LevelMapper(nn.Module):
    """One level's network: normalisation, then four equalised layers (learning rate times 0.01).

    Args:
        dim: size of a row.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        layers = {str(i): EqualLinear(dim, dim, lr_multiplier=0.01) for i in range(1, 5)}
        self.mapping = nn.ModuleDict(layers)  # published keys: mapping.1 .. mapping.4

    def forward(self, rows: Tensor) -> Tensor:
        """`[B, l, D] -> [B, l, D]`. As published, the normalisation runs over the rows, dim 1."""
        x = rows * (rows.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping.values():
            x = F.leaky_relu(layer(x), 0.2) * SQRT2
        return x


class LevelsMapper(nn.Module):
    """The mapper of all levels; unmapped levels stay as they are.

    Args:
        config: its shape.
    """

    def __init__(self, config: MapperConfig) -> None:
        super().__init__()
        self.config = config
        for level in config.levels:
            setattr(self, _KEYS[level], LevelMapper(config.dim))

    def forward(self, w_plus: Tensor) -> Tensor:
        """Change `[B, L, D]` of codes `[B, L, D]`; the edit is `w + 0.1 * change`."""
        bounds = {"coarse": slice(0, 4), "medium": slice(4, 8), "fine": slice(8, None)}
        parts = []
        for level, rows in bounds.items():
            part = w_plus[:, rows]
            mapped = level in self.config.levels and part.shape[1] > 0
            parts.append(getattr(self, _KEYS[level])(part) if mapped else torch.zeros_like(part))
        return torch.cat(parts, dim=1)


def load_mapper(path: Path | str) -> LevelsMapper:
    """A mapper from our `.safetensors`, or from a published StyleCLIP file (`state_dict` with
    `mapper.*` keys and `opts`); the shape is read off the weights.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a mapper.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"mapper file {path.name!r} does not end in one of {SUFFIXES}")
    state = load_tensors(path)[0] if path.suffix == ".safetensors" else _published(path)
    levels = tuple(n for n, key in _KEYS.items() if any(k.startswith(f"{key}.") for k in state))
    if not levels:
        raise ValueError(f"{path} holds no mapper; its keys start with {sorted(state)[:3]}")
    first = state.get(f"{_KEYS[levels[0]]}.mapping.1.weight")
    if first is None or first.ndim != 2:
        raise ValueError(f"{path} is not a mapper of this kind: its first layer is missing")
    with within(state, path.name):
        mapper = LevelsMapper(MapperConfig(int(first.shape[0]), levels))
    try:
        mapper.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{path} is not a mapper of this kind: {error}") from error
    return mapper.eval().requires_grad_(False)


def _published(path: Path) -> dict[str, Tensor]:
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes")
    found: Any = load_torch(path)
    held = found.get("state_dict", found) if isinstance(found, dict) else {}
    if not isinstance(held, dict):
        raise ValueError(f"{path} holds no mapper: its 'state_dict' is a {type(held).__name__}")
    state = {k: v for k, v in held.items() if isinstance(k, str) and isinstance(v, Tensor)}
    prefix = "mapper."
    stripped = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return stripped or state


@dataclass(frozen=True)
class MapperOptions:
    """Settings of one edit.

    Args:
        mapper: file of the mapper; by default the one trained for this prompt in the model's
            folder.
    """

    mapper: Path | str | None = None


class Mapper:
    """The latent mapper as a `Guidance`.

    Args:
        toolkit: `toolkit.folder / "mappers"` is searched for a mapper named after the prompt.
        network: a mapper already loaded; it serves every request.
    """

    name = "mapper"

    def __init__(self, toolkit: Toolkit, network: LevelsMapper | None = None) -> None:
        self.toolkit = toolkit
        self.network = network
        self._loaded: dict[str, LevelsMapper] = {}

    @torch.no_grad()
    def offset(self, request: EditRequest, on_step: OnStep | None = None) -> Offset:
        """The mapper's change of this face, in W+."""
        options = read_options(MapperOptions, request.options)
        network = self.network or self._find(request, options)
        if network.config.dim != request.latent.w.shape[-1]:
            raise ValueError(
                f"this mapper is for codes of width {network.config.dim}, "
                f"the model's are {request.latent.w.shape[-1]} wide"
            )
        return Offset(w=EDIT_SCALE * network.to(request.latent.w.device)(request.latent.w))

    def _find(self, request: EditRequest, options: MapperOptions) -> LevelsMapper:
        path = None if options.mapper is None else Path(options.mapper)
        if path is None:
            folders = [f for f in (self.toolkit.own, self.toolkit.folder) if f is not None]
            if not folders or not request.text:
                raise ValueError(
                    "give the mapper's file (mapper=...), or a text it was trained for"
                )
            paths = [mapper_path(folder, request.text) for folder in folders]
            path = next((found for found in paths if found.is_file()), paths[0])
            if not path.is_file():
                raise FileNotFoundError(
                    f"no mapper was trained for {request.text!r} ({path} is missing): run "
                    f"'semblance train-mapper' with this text, or choose another method"
                )
        key = str(path)
        if key not in self._loaded:
            self._loaded[key] = load_mapper(path)
        return self._loaded[key]


def mapper_path(folder: Path | str, text: str) -> Path:
    """Where the mapper of a prompt is kept."""
    import hashlib
    import re

    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Path(folder) / "mappers" / f"{slug}-{digest}.safetensors"


@dataclass(frozen=True)
class MapperTraining:
    """How a mapper is trained; weights as published but for the directional term.

    Args:
        steps: optimiser steps (50,000 published, at batch 2).
        batch: codes a step.
        lr: learning rate; the layers divide it by 100.
        clip: weight of the similarity to the target.
        directional: weight of the directional loss; 0 in the paper.
        l2: weight of the mean squared change.
        identity: weight of the identity term (ignored without an identity network).
        truncation: psi of the sampled codes.
        seed: of codes and weights.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 600
    batch: int = 4
    lr: float = 0.5
    clip: float = 1.0
    directional: float = 1.0
    l2: float = 0.8
    identity: float = 0.1
    truncation: float = 0.7
    seed: int = 0
    checkpoint_every: int = 100


def train_mapper(
    toolkit: Toolkit,
    target: Tensor,
    neutral: Tensor,
    out: Path | str,
    config: MapperTraining | None = None,
    on_step: OnStep | None = None,
) -> LevelsMapper:
    """Train a mapper for one target on sampled faces (StyleCLIP, equation 4); resumes by itself.

    Args:
        toolkit: generator, CLIP and, where present, identity.
        target: unit `[1, E]`.
        neutral: unit `[1, E]`.
        out: `.safetensors` file of the result; `<out>.state` beside it while training.
        config: how.
        on_step: told of every step.
    """
    config = config or MapperTraining()
    device = toolkit.generator.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        mapper = LevelsMapper(MapperConfig(toolkit.generator.style_dim)).to(device)
    adam = torch.optim.Adam(mapper.parameters(), lr=config.lr * 0.01)
    state = Path(f"{out}.state")
    aim = _aim(target, neutral, config)
    first = _resume(state, mapper, adam, aim)
    for step in range(first, config.steps):
        w = toolkit.generator.sample(config.batch, config.seed + 1 + step, config.truncation).w
        terms = _mapper_terms(toolkit, mapper, w, target.to(device), neutral.to(device), config)
        adam.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(mapper.parameters(), 1.0)
        adam.step()
        if on_step is not None:
            losses = {k: float(v.detach()) for k, v in terms.items()}
            on_step(Progress(step + 1, config.steps, losses))
        if (step + 1) % config.checkpoint_every == 0:
            _checkpoint(state, mapper, adam, step + 1, aim)
    save_tensors(out, mapper.state_dict(), {"kind": "mapper", "training": asdict(config)})
    state.unlink(missing_ok=True)
    return mapper.eval().requires_grad_(False)


def _mapper_terms(
    toolkit: Toolkit,
    mapper: LevelsMapper,
    w: Tensor,
    target: Tensor,
    neutral: Tensor,
    config: MapperTraining,
) -> dict[str, Tensor]:
    with torch.no_grad():
        before = toolkit.generator.synthesize(w)
        seen = toolkit.clip.encode_image(before)
    change = EDIT_SCALE * mapper(w)
    after = toolkit.generator.synthesize(w + change)
    found = toolkit.clip.encode_image(after)
    terms = {
        "clip": config.clip * clip_loss(found, target).mean(),
        "l2": config.l2 * change.square().mean(),
    }
    if config.directional:
        loss = directional_loss(found, seen, target, neutral).mean()
        terms["directional"] = config.directional * loss
    if toolkit.identity is not None and config.identity:
        kept = identity_loss(toolkit.identity, after, before).mean()
        terms["identity"] = config.identity * kept
    return terms


def _checkpoint(
    path: Path, mapper: nn.Module, adam: torch.optim.Optimizer, step: int, aim: str
) -> None:
    parts = {"mapper": mapper.state_dict(), "adam": adam.state_dict(), "step": step}
    with atomic(path) as part:
        torch.save(parts | {"aim": aim}, part)


def _aim(target: Tensor, neutral: Tensor, config: MapperTraining) -> str:
    """What a run is for; a checkpoint of another aim is not gone on with."""
    import hashlib

    settings = {k: v for k, v in asdict(config).items() if k not in ("steps", "checkpoint_every")}
    found = hashlib.sha256(repr(sorted(settings.items())).encode())
    for vector in (target, neutral):
        found.update(vector.detach().cpu().float().numpy().round(4).tobytes())
    return found.hexdigest()


def _resume(path: Path, mapper: nn.Module, adam: torch.optim.Optimizer, aim: str) -> int:
    if not path.is_file():
        return 0
    found = load_torch(path)
    if found.get("aim") != aim:
        return 0  # the run was for something else
    mapper.load_state_dict(found["mapper"])
    adam.load_state_dict(found["adam"])
    return int(found["step"])
