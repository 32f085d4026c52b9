"""A film's frames edited by several processes or machines: Ray Data over segments of it.

Workers must see the film and the folder of frames as the driver does (one machine, or a shared file
system). The driver finds the faces and what changes; workers draw frames into the folder that the
driver writes the film from, so an interrupted run goes on whoever drew what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.batch.batch import one_line
from apps.batch.ray_engine import RayConfig, connect
from apps.clips.filming import Ahead, Shot, finished_frame
from apps.clips.reading import Film, frames_of

if TYPE_CHECKING:
    from multimodal import FaceEditor

LENGTH = 48
"""Frames of a segment."""
WARM = 4
"""Frames before a segment that are followed too, so that meshes are as calm as in one run."""


def segments(frames: int, length: int = LENGTH) -> list[tuple[int, int]]:
    """First frames and those after the last, of about equal parts.

    Raises:
        ValueError: a length below 1.
    """
    if length < 1:
        raise ValueError(f"segments of {length} frames: at least 1 is needed")
    count = max(1, round(frames / length))
    edges = np.linspace(0, frames, count + 1).round().astype(int).tolist()
    return [(start, stop) for start, stop in pairwise(edges) if stop > start]


def edit_segment(
    editor: FaceEditor, film: Path, shots: Sequence[Shot], folder: Path, start: int, stop: int
) -> int:
    """Draw the frames from `start` up to `stop` into a folder; returns how many were missing."""
    calm: dict[int, np.ndarray] = {}
    drawn = 0
    for number, frame in enumerate(frames_of(film)):
        if number >= stop:
            break
        if number >= start:
            drawn += finished_frame(editor, frame, shots, number, folder, calm)[1]
        elif number >= start - WARM:
            finished_frame(editor, frame, shots, number, None, calm)
    return drawn


class FilmActor:
    """A Ray Data actor: loads the model when it starts, then draws segments.

    Args:
        load: loads the editor.
        film: the film's path.
        shots: what changes.
        folder: where frames are written.
        threads: of the arithmetic.
    """

    def __init__(
        self,
        load: Callable[[], FaceEditor],
        film: str,
        shots: Sequence[Shot],
        folder: str,
        threads: int,
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        self.film, self.shots, self.folder = Path(film), shots, Path(folder)
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
                    edit_segment(
                        self.editor, self.film, self.shots, self.folder, int(start), int(stop)
                    )
            except Exception as error:
                problem = f"frames {start} to {stop}: {one_line(error)}"
            problems.append(problem)
        return {"problem": np.array(problems), "frames": block["stop"] - block["start"]}


def by_ray(
    load: Callable[[], FaceEditor], config: RayConfig | None = None, length: int = LENGTH
) -> Ahead:
    """What draws a film's frames in Ray actors, ahead of writing it.

    Args:
        load: loads the editor in each actor; it must be picklable.
        config: how to scale out.
        length: frames of a segment.
    """
    settings = config or RayConfig()

    def run(film: Film, shots: Sequence[Shot], folder: Path, tell: Callable[..., None]) -> None:
        import ray
        import torch

        own = connect(settings)
        try:
            rows = [{"start": a, "stop": b} for a, b in segments(film.frames, length)]
            place = (load, str(film.path.resolve()), list(shots), str(folder.resolve()))
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
