"""`semblance batch`: one edit for any number of photos."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.commands import options as o
from apps.commands.groups import ModelChoice, Wish, grouped
from apps.console import counter, report

if TYPE_CHECKING:
    from apps.batch.batch import Engine
    from apps.batch.photo_edit import PhotoEdit

Ray = Annotated[
    str | None, typer.Option(help="Scale out on Ray Data: auto, local, or a cluster's address.")
]
Workers = Annotated[int, typer.Option(min=1, help="Ray actors, each with its own model.")]
Table = Annotated[str, typer.Option(help="Name of the table: results.csv or results.parquet.")]


@grouped
def batch(
    source: Annotated[Path, typer.Argument(help="A folder of photos, or a .csv/.parquet table.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures, journal and table.")],
    wish: Wish,
    inversion: o.InvertMethod = o.AUTO,
    table: Table = "results.csv",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try these again.")] = False,
    ray: Ray = None,
    workers: Workers = 2,
    seed: o.Seed = 0,
    aligned: o.IsAligned = False,
    face: o.Faces = None,
    keep_date: o.KeepDate = False,
    *,
    model: ModelChoice,
    as_json: o.Json = False,
) -> int:
    """Edit every photo; run it again to go on where it stopped.

    Exit code 1 when some photos failed: the table says why.
    """
    from apps.batch.batch import BatchConfig, run_batch
    from apps.batch.manifest import says_what_to_change
    from apps.batch.photo_edit import PhotoEdit

    spec = wish.spec(seed, anything=says_what_to_change(source))
    parts = (model.model, model.device, model.encoder, model.clip)
    job = PhotoEdit(spec, inversion, *parts, aligned, face, keep_date)
    config = BatchConfig(source, out, job.plan(), table, retry_failed)
    with counter("editing photos") as advance:
        summary = run_batch(config, engine_of(job, ray, workers), advance)
    report(summary.as_dict(), as_json)
    return 1 if summary.failed else 0


def engine_of(job: PhotoEdit, ray: str | None, workers: int) -> Engine:
    """The engine that was asked for; the model loads when there is a photo to edit."""
    if ray is None:
        from apps.batch.batch import loading_engine

        return loading_engine(job.load)
    from apps.batch.ray_engine import RayConfig, ray_engine

    return ray_engine(partial(type(job).load, job), RayConfig(ray, workers))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(batch)
