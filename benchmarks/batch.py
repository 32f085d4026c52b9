"""Throughput of the batch engines, and whether they draw the same pixels.

    python -m benchmarks.batch --photos 24 --workers 1 2 --model default

Prints one Markdown table: Ray Data with each number of workers beside the run in one process, over
the same photos with the same edit, the loading of the model included.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from apps.batch.batch import BatchConfig, Engine, Summary, loading_engine, run_batch
from apps.batch.photo_edit import PhotoEdit
from apps.batch.ray_engine import RayConfig, ray_engine
from apps.edits import EditSpec
from apps.samples import faces
from benchmarks.table import HEADER, Figure, markdown

SAME = "same pixels"


def gather(count: int, folder: Path) -> Path:
    """`count` photos: the samples, over and over."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = faces()
    for index in range(count):
        shutil.copyfile(samples[index % len(samples)], folder / f"{index:05}.jpg")
    return folder


def run(engine: Engine, source: Path, out: Path, plan: dict[str, object]) -> Summary:
    """One engine over all photos, the loading of the model included."""
    return run_batch(BatchConfig(source, out, plan), engine)


def digest(out: Path) -> str:
    """One hash over every picture of a run."""
    total = hashlib.sha256()
    for path in sorted((out / "pictures").rglob("*")):
        total.update(path.read_bytes() if path.is_file() else b"")
    return total.hexdigest()[:12]


@dataclass(frozen=True)
class Load:
    """What is done to how many photos.

    Args:
        photos: how many.
        text: the edit of all.
        inversion: method of `multimodal.inversion`.
        model: name or file.
        ray: auto, local, or a cluster's address.
    """

    photos: int = 24
    text: str = "an old person with grey hair"
    inversion: str = "encoder"
    model: str = "default"
    ray: str = "local"


def figures(load: Load, workers: Sequence[int]) -> Iterator[Figure]:
    """A line for each number of Ray workers, beside the plain run over the same photos."""
    job = PhotoEdit(EditSpec(text=load.text), load.inversion, load.model)
    with tempfile.TemporaryDirectory() as scratch:
        source = gather(load.photos, Path(scratch) / "in")
        out = Path(scratch) / "plain"
        plain, pixels = run(loading_engine(job.load), source, out, job.plan()), digest(out)
        for count in workers:
            engine = ray_engine(partial(PhotoEdit.load, job), RayConfig(load.ray, count))
            out = Path(scratch) / f"ray{count}"
            told = run(engine, source, out, job.plan())
            same = digest(out) == pixels and not told.failed + plain.failed
            work = f"{load.photos} photos, Ray with {count} workers"
            note = SAME if same else f"other pixels, {told.failed + plain.failed} failed"
            yield Figure(work, told.seconds, "one process", plain.seconds, None, note)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 1 when two engines differ or a photo fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, value in asdict(Load()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    asked = vars(parser.parse_args(arguments))
    workers = asked.pop("workers")
    found = list(figures(Load(**asked), workers))
    print(markdown(HEADER, (figure.cells() for figure in found)))
    return 0 if all(figure.note == SAME for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
