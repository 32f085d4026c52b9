"""What every trainer shares: devices, seeds, checkpoints, logs, a clock.

Built on Lightning Fabric, so that the same recipe runs on one CPU, one GPU, or many by
`torchrun --nproc-per-node=N -m recipes.train_...`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning.fabric import Fabric
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn


@dataclass(frozen=True)
class RunConfig:
    """How a training runs, whatever is trained.

    Args:
        out: folder of checkpoints and logs; a run found there is resumed.
        steps: optimiser steps in all.
        minutes: stop after this many minutes of this process (0: no limit).
        seed: of everything random.
        checkpoint_minutes: time between checkpoints.
        log_every: steps between log lines.
    """

    out: Path
    steps: int
    minutes: float = 0.0
    seed: int = 0
    checkpoint_minutes: float = 3.0
    log_every: int = 50


@dataclass
class Run:
    """One running training: its Fabric, its step count and its log."""

    config: RunConfig
    fabric: Fabric
    step: int = 0
    images: int = 0
    _started: float = field(default_factory=time.monotonic)
    _saved: float = field(default_factory=time.monotonic)
    _writer: Any = None

    @property
    def checkpoint(self) -> Path:
        """Where the newest state lies."""
        return self.config.out / "checkpoint.pt"

    def resume(self, parts: dict[str, Any]) -> bool:
        """Load every part (modules, optimisers, tensors' holders) from the newest checkpoint."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, map_location=self.fabric.device, weights_only=True)
        for name, part in parts.items():
            if name in state:
                part.load_state_dict(state[name])
        self.step, self.images = state["step"], state["images"]
        return True

    def save(self, parts: dict[str, Any]) -> None:
        """Write a checkpoint under a temporary name, then rename it."""
        self._saved = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        self.config.out.mkdir(parents=True, exist_ok=True)
        state: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
        state |= {"step": self.step, "images": self.images}
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        os.replace(temporary, self.checkpoint)

    def steps(self, parts: dict[str, Any], batch: int) -> Iterator[int]:
        """Count steps up to the end, the clock or an interrupt; save on the way and at the end."""
        with _progress_bar(self) as advance:
            try:
                while self.step < self.config.steps and not self.out_of_time():
                    yield self.step
                    self.step += 1
                    self.images += batch * self.fabric.world_size
                    advance(self.step)
                    if time.monotonic() - self._saved > self.config.checkpoint_minutes * 60:
                        self.save(parts)
            finally:
                self.save(parts)

    def share_done(self) -> float:
        """How much is used up of the steps, or of this process's minutes where they are limited, in
        [0, 1]. Of several processes, the first one's clock counts."""
        share, limit = self.step / max(self.config.steps, 1), self.config.minutes * 60
        if limit > 0:
            share = max(share, (time.monotonic() - self._started) / limit)
            if self.fabric.world_size > 1:
                share = float(self.fabric.broadcast(share))  # else rates would differ
        return min(share, 1.0)

    def out_of_time(self) -> bool:
        """Are the minutes used up? Of several processes, the first one's clock counts."""
        limit = self.config.minutes * 60
        late = limit > 0 and time.monotonic() - self._started > limit
        if limit > 0 and self.fabric.world_size > 1:
            late = bool(self.fabric.broadcast(late))  # else some would wait for others
        return late

    def agree(self, *modules: nn.Module) -> None:
        """Give the modules of every process the first one's weights."""
        if self.fabric.world_size == 1:
            return
        for module in modules:
            for tensor in module.state_dict().values():
                tensor.copy_(self.fabric.broadcast(tensor))

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Make every process's gradients the mean over all; where there is none, it counts as 0."""
        if self.fabric.world_size == 1:
            return
        held = [parameter for parameter in parameters if parameter.requires_grad]
        mine = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
        joined = torch.cat([g.flatten() for g in mine])
        flat = cast(Tensor, self.fabric.all_reduce(joined, reduce_op="mean"))
        for parameter, part in zip(held, flat.split([p.numel() for p in held]), strict=True):
            parameter.grad = part.view_as(parameter).clone()

    def log(self, values: dict[str, float | Tensor], force: bool = False) -> None:
        """Write scalars to TensorBoard every `log_every` steps."""
        if not self.fabric.is_global_zero or (self.step % self.config.log_every and not force):
            return
        writer = self._tensorboard()
        for name, value in values.items():
            writer.add_scalar(name, float(value), self.step)
        text = "  ".join(f"{k} {float(v):.4g}" for k, v in values.items())
        speed = self.images_per_second()
        Console(stderr=True).print(f"step {self.step}  {text}  {speed:.1f} im/s", highlight=False)

    def log_images(self, name: str, grid: Tensor) -> None:
        """Write a picture `[3, H, W]` in [-1, 1] to TensorBoard and beside the checkpoint."""
        if not self.fabric.is_global_zero:
            return
        from torchvision.utils import save_image

        picture = (grid.detach().float().cpu().clamp(-1, 1) + 1) / 2
        self._tensorboard().add_image(name, picture, self.step)
        save_image(picture, self.config.out / f"{name}.png")

    def images_per_second(self) -> float:
        """Mean speed of this process so far."""
        seconds = time.monotonic() - self._started
        return (self.images - self._images_at_start) / max(seconds, 1e-6)

    _images_at_start: int = 0

    def start_clock(self) -> None:
        """Count time and speed from now (call after compiling, loading, resuming)."""
        self._started = self._saved = time.monotonic()
        self._images_at_start = self.images

    def _tensorboard(self) -> Any:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.config.out / "log")
        return self._writer


def start(config: RunConfig, devices: str = "auto", accelerator: str = "auto") -> Run:
    """Launch Fabric, seed everything and make the output folder.

    Under torchrun its processes and machines are the ones that count: Fabric by itself would take
    one machine, and every processor of it.
    """
    devices = os.environ.get("LOCAL_WORLD_SIZE", devices)
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices if devices == "auto" else int(devices),
        num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")),
    )
    fabric.launch()
    if fabric.device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    fabric.seed_everything(config.seed + fabric.global_rank, verbose=False)
    if fabric.is_global_zero:
        config.out.mkdir(parents=True, exist_ok=True)
    return Run(config, fabric)


class Average(nn.Module):
    """Exponential moving average of a module's weights (Karras et al. 2018, section 4.2).

    Args:
        module: the module to follow; its structure is copied.
        half_life: images after which an old weight counts half.
    """

    def __init__(self, module: nn.Module, half_life: float = 10_000.0) -> None:
        super().__init__()
        import copy

        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.half_life = half_life

    @torch.no_grad()
    def update(self, module: nn.Module, batch: int, seen: int) -> None:
        """Move towards `module` by one batch; the average warms up with the images seen."""
        decay = 0.5 ** (batch / max(min(self.half_life, seen * 0.05), 1e-8))
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs.to(mine.dtype), 1 - decay)
        for kept, new in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(new)


class _progress_bar:
    """A rich bar on stderr that knows the run's step count."""

    def __init__(self, run: Run) -> None:
        self.run = run
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}"))
        self.bar = Progress(
            *columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )

    def __enter__(self) -> Any:
        quiet = not self.run.fabric.is_global_zero or not self.bar.console.is_terminal
        if not quiet:
            self.bar.start()
        task = self.bar.add_task(self.run.config.out.name, total=self.run.config.steps)
        return lambda step: None if quiet else self.bar.update(task, completed=step)

    def __exit__(self, *exc: object) -> None:
        self.bar.stop()
