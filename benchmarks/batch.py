"""Throughput of the batch engines, and whether they draw the same pixels.

    python -m benchmarks.batch --photos 24 --workers 1 2 --model default

Prints one Markdown table: the plain run and Ray Data with each number of workers, over the same
photos with the same edit.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from apps.batch import BatchConfig, Engine, Summary, loading_engine, run_batch
from apps.edits import EditSpec
from apps.photo_edit import PhotoEdit
from apps.ray_engine import RayConfig, ray_engine
from apps.samples import faces


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


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 1 when two engines differ or a photo fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--model", default="default")
    parser.add_argument("--inversion", default="encoder")
    parser.add_argument("--text", default="an old person with grey hair")
    parser.add_argument("--ray", default="local", help="auto, local, or a cluster's address")
    asked = parser.parse_args(arguments)
    job = PhotoEdit(EditSpec(text=asked.text), asked.inversion, asked.model)
    engines: dict[str, Engine] = {"plain": loading_engine(job.load)}
    for workers in asked.workers:
        config = RayConfig(asked.ray, workers)
        engines[f"Ray, {workers} workers"] = ray_engine(partial(PhotoEdit.load, job), config)
    print("| engine | photos | failed | seconds | photos a second | pixels |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    seen: set[str] = set()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        source = gather(asked.photos, Path(scratch) / "in")
        for number, (name, engine) in enumerate(engines.items()):
            out = Path(scratch) / f"out{number}"
            told = run(engine, source, out, job.plan())
            seen.add(digest(out))
            failed += told.failed
            rate = told.done / told.seconds
            row = f"{told.photos} | {told.failed} | {told.seconds:.1f} | {rate:.2f} | {digest(out)}"
            print(f"| {name} | {row} |", flush=True)
    return 0 if len(seen) == 1 and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
