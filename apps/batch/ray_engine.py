"""The batch engine for many processes and machines: Ray Data with one model per actor.

Actors must see the same paths as the driver (one machine, or a shared file system). They stage
pictures; the driver keeps the journal. Rows arrive as they finish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.batch.batch import Engine, Process, Staged, one_line, stage
from apps.batch.manifest import Item

ProcessFactory = Callable[[], Process]
"""Loads the model and returns the function that edits one photo; called once in each actor."""


@dataclass(frozen=True)
class RayConfig:
    """How to scale out.

    Args:
        address: "auto" (a running cluster, else one started here), "local" (always one started
            here), or a cluster's address.
        workers: actors, each with its own copy of the model.
        cpus: CPU cores reserved for each actor.
        gpus: GPUs (or shares of one) for each actor; None takes one each where the cluster has any.
        threads: threads of the arithmetic in each actor. The number the local engine uses gives
            the same sums in the same order, so the same pixels.
        batch_size: photos handed to an actor at a time.
    """

    address: str = "auto"
    workers: int = 2
    cpus: float = 1.0
    gpus: float | None = None
    threads: int | None = None
    batch_size: int = 4

    def __post_init__(self) -> None:
        if self.workers < 1 or self.batch_size < 1:
            raise ValueError(
                f"workers {self.workers} and batch size {self.batch_size} must be at least 1"
            )


class PhotoActor:
    """A Ray Data actor: loads the model when it starts, then edits blocks of photos.

    A model that does not load is told in place of each photo: raised here, Ray would start the
    actor anew, and in the end bury the reason.
    """

    def __init__(self, factory: ProcessFactory, staging: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.staging, self.broken = Path(staging), ""
        try:
            self.process = factory()
        except Exception as error:
            self.broken = one_line(error)

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        if self.broken:
            return {"staged": _objects([self.broken] * len(block["item"]))}
        results = [stage(self.process, item, self.staging) for item in block["item"]]
        return {"staged": _objects(results)}


def ray_engine(factory: ProcessFactory, config: RayConfig | None = None) -> Engine:
    """An engine that edits photos in Ray Data actors.

    Raises:
        ValueError: no cluster answers at the address, or a worker cannot load the model.
    """
    settings = config or RayConfig()

    def run(items: list[Item], staging: Path) -> Iterator[Staged]:
        if not items:
            return
        import ray
        import torch

        own = connect(settings)
        try:
            gpus = settings.gpus
            if gpus is None:
                gpus = 1.0 if ray.cluster_resources().get("GPU", 0) >= settings.workers else 0.0
            staged = ray.data.from_items([{"item": item} for item in items]).map_batches(
                PhotoActor,
                fn_constructor_args=(
                    factory,
                    str(staging.resolve()),
                    settings.threads or torch.get_num_threads(),
                ),
                batch_size=settings.batch_size,
                compute=ray.data.ActorPoolStrategy(size=settings.workers),
                num_cpus=settings.cpus,
                num_gpus=gpus,
            )
            for record in staged.iter_rows():
                yield _checked(record["staged"])
        finally:
            if own:
                ray.shutdown()

    return run


def _checked(told: Staged | str) -> Staged:
    if isinstance(told, str):
        raise ValueError(f"a worker cannot load the model: {told}")
    return told


def connect(config: RayConfig) -> bool:
    """Join or start a cluster; returns whether it must be left again.

    Raises:
        ValueError: no cluster answers at the address.
    """
    import logging

    import ray

    if ray.is_initialized():
        return False
    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if config.address == "local":
            _start_here(config, common)
        elif config.address == "auto":
            _join_or_start(config, common)
        else:
            ray.init(address=config.address, **common)
    except (ConnectionError, ValueError, TimeoutError) as error:
        raise ValueError(f"no Ray cluster answers at {config.address!r}: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    return True


def _join_or_start(config: RayConfig, common: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(address="auto", **common)
    except ConnectionError:
        _start_here(config, common)


def _start_here(config: RayConfig, common: dict[str, Any]) -> None:
    import math
    import os

    import ray

    cpus = max(os.cpu_count() or 1, math.ceil(config.workers * config.cpus) + 1)
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {"env_vars": {"PYTHONPATH": paths}}
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        runtime_env=environment,
        **common,
    )


def _objects(values: list[Any]) -> np.ndarray:
    """A column of Python objects, one a row."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
