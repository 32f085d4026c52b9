"""A film's parts edited by several processes or machines: Ray Data over them.

Workers must see the film and the folder of parts as the driver does (one machine, or a shared file
system). The driver finds the faces and what changes; workers write parts into the folder that the
driver joins the film from, so an interrupted run goes on whoever drew what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.batch.batch import one_line
from apps.batch.ray_engine import RayConfig, connect
from apps.clips.filming import Ahead, OnFrames, Span, write_parts
from apps.clips.reading import Film
from apps.clips.shots import Shot

if TYPE_CHECKING:
    from multimodal import FaceEditor


class FilmActor:
    """A Ray Data actor: loads the model when it starts, then draws segments.

    Args:
        load: loads the editor.
        film: what is edited.
        shots: what changes.
        folder: where parts are written.
        threads: of the arithmetic.
    """

    def __init__(
        self,
        load: Callable[[], FaceEditor],
        film: Film,
        shots: Sequence[Shot],
        folder: str,
        threads: int,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self.film, self.shots, self.folder = film, shots, Path(folder)
        self.problem = ""
        try:
            self.editor = load()
        except Exception as error:  # told to the driver: Ray would start the actor anew
            self.problem = f"a worker cannot load the model: {one_line(error)}"

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        problems = []
        for start, stop in zip(block["start"], block["stop"], strict=True):
            problem = self.problem
            try:
                if not problem:
                    part = [(int(start), int(stop))]
                    write_parts(self.editor, self.film, self.shots, self.folder, part, _untold)
            except Exception as error:
                problem = f"frames {start} to {stop}: {one_line(error)}"
            problems.append(problem)
        return {"problem": np.array(problems), "frames": block["stop"] - block["start"]}


def _untold(done: int, total: int, what: str) -> None:
    """Nobody watches an actor."""


def by_ray(load: Callable[[], FaceEditor], config: RayConfig | None = None) -> Ahead:
    """What draws a film's frames in Ray actors, ahead of writing it.

    Args:
        load: loads the editor in each actor; it must be picklable.
        config: how to scale out.
    """
    settings = config or RayConfig()

    def run(
        film: Film, shots: Sequence[Shot], folder: Path, parts: Sequence[Span], tell: OnFrames
    ) -> None:
        import ray
        import torch

        own = connect(settings)
        try:
            rows = [{"start": a, "stop": b} for a, b in parts]
            place = (load, film, list(shots), str(folder.resolve()))
            drawn = ray.data.from_items(rows).map_batches(
                FilmActor,
                fn_constructor_args=(*place, settings.threads or torch.get_num_threads()),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=settings.workers),
                num_cpus=settings.cpus,
                num_gpus=settings.gpus or 0.0,
            )
            done = 0
            for row in drawn.iter_rows():
                if row["problem"]:
                    raise ValueError(str(row["problem"]))
                done += int(row["frames"])
                tell(done, film.frames, "editing frames")
        finally:
            if own:
                ray.shutdown()

    return run
