"""Any number of photos, one edit: here, or scaled out on Ray Data.

Each photo is edited into a staged file, its row is written to the journal, and only then is the
picture put in place (`apps.batch.journal`), so a run killed at any moment resumes where it
stood. Both engines share this path; Ray's actors stage, the driver commits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from PIL import Image

from apps.batch.journal import Journal, Row, photo_digest
from apps.batch.manifest import Item, read_items
from apps.console import Advance
from multimodal.images import save_image

TABLES = (".csv", ".parquet")
COLUMNS = ("name", "path", "output", "error", "seconds")
"""What the table says of every photo, before the scores."""

Process = Callable[[Item], tuple[Image.Image, Mapping[str, float]]]
"""Edits one photo; returns the picture to keep and its scores, or raises."""

Staged = tuple[Row, Path | None]
"""A finished row and the picture waiting to be put in place."""

Engine = Callable[[list[Item], Path], Iterator[Staged]]
"""Edits items, staging pictures in a folder; yields them in any order."""


@dataclass(frozen=True)
class Summary:
    """What a batch came to.

    Args:
        photos: photos asked for.
        done: photos with a picture.
        failed: photos with an error in the table.
        skipped: photos already finished by an earlier run.
        seconds: time this run took.
        table: the table of results.
    """

    photos: int
    done: int
    failed: int
    skipped: int
    seconds: float
    table: Path

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


@dataclass(frozen=True)
class BatchConfig:
    """Where a batch reads and writes.

    Args:
        source: a folder of photos or a CSV/Parquet manifest.
        out: folder of the pictures, the journal and the table.
        plan: what is done to each photo, recorded so that a resumed run does the same.
        table: file name of the table, `.csv` or `.parquet`.
        retry_failed: try again the photos that failed in an earlier run.
    """

    source: Path
    out: Path
    plan: Mapping[str, Any] = field(default_factory=dict)
    table: str = "results.csv"
    retry_failed: bool = False

    def __post_init__(self) -> None:
        name = Path(self.table)
        if name.suffix.lower() not in TABLES or name.name != self.table:
            raise ValueError(f"the table {self.table!r} must be a file name in {', '.join(TABLES)}")


def run_batch(config: BatchConfig, engine: Engine, on_photo: Advance | None = None) -> Summary:
    """Edit every photo that is not done yet and write the table of results.

    Args:
        config: sources and outputs.
        engine: `local_engine(process)` or `apps.batch.ray_engine.ray_engine(...)`.
        on_photo: called after each photo with (finished, total, name).

    Raises:
        FileNotFoundError: no such source.
        ValueError: no photos, or an output folder that belongs to another batch.
    """
    started = time.monotonic()
    items = read_items(config.source, config.out)
    with Journal(config.out, config.plan) as journal:
        _clear_stale(config.out)
        todo = [item for item in items if not journal.done(item, config.retry_failed)]
        skipped = len(items) - len(todo)
        try:
            for count, (row, staged) in enumerate(engine(todo, _staging(config.out)), start=1):
                journal.commit(row, staged)
                if on_photo is not None:
                    on_photo(skipped + count, len(items), row.name)
        finally:
            rows = [journal.rows[item.name] for item in items if item.name in journal.rows]
            table = write_table(rows, config.out / config.table)
    failed = sum(1 for row in rows if row.error)
    seconds = time.monotonic() - started
    return Summary(len(items), len(rows) - failed, failed, skipped, seconds, table)


def local_engine(process: Process) -> Engine:
    """One photo after the other in this process."""

    def run(items: list[Item], staging: Path) -> Iterator[Staged]:
        for item in items:
            yield stage(process, item, staging)

    return run


def loading_engine(load: Callable[[], Process]) -> Engine:
    """The same, loading the model before the first photo.

    A model that cannot be loaded ends the run: it is no photo's fault. Nothing is loaded where
    nothing is left to do.
    """

    def run(items: list[Item], staging: Path) -> Iterator[Staged]:
        if items:
            yield from local_engine(load())(items, staging)

    return run


def stage(process: Process, item: Item, staging: Path) -> Staged:
    """Edit one photo into a file below `staging`; an error becomes a row.

    Whatever goes wrong with one photo must not end the rest, so every `Exception` is taken.
    """
    started = time.monotonic()
    row = Row(item.name, str(item.path), overrides=item.digest, photo=photo_digest(item.path))
    try:
        picture, scores = process(item)
        staged = _save_staged(picture, staging, Path(item.name).suffix)
    except Exception as error:
        return replace(row, error=one_line(error), seconds=_since(started)), None
    kept = {name: float(value) for name, value in scores.items() if _is_number(value)}
    output = f"pictures/{item.name}"
    return replace(row, output=output, seconds=_since(started), scores=kept), staged


def one_line(error: Exception) -> str:
    """An error in a line; one that is not bad input is named by its type."""
    words, kind = " ".join(str(error).split()), type(error).__name__
    if not words:
        return kind
    return words if isinstance(error, ValueError | OSError) else f"{kind}: {words}"


def write_table(rows: Iterable[Row], path: Path) -> Path:
    """One line a photo: name, path, output, error, seconds and a column a score."""
    import pandas

    records = [
        {**{k: v for k, v in vars(row).items() if k in COLUMNS}, **row.scores} for row in rows
    ]
    rest = sorted({name for record in records for name in record} - set(COLUMNS))
    table = pandas.DataFrame(records, columns=[*COLUMNS, *rest])
    part = _staging(path.parent) / path.name  # a killed run's is cleared from there
    if path.suffix.lower() == ".csv":
        table.to_csv(part, index=False)
    else:
        table.to_parquet(part, index=False)
    part.replace(path)
    return path


def _staging(out: Path) -> Path:
    folder = out / ".staging"
    folder.mkdir(exist_ok=True)
    return folder


def _clear_stale(out: Path) -> None:
    """Remove half-written files a killed run left; the journal's lock makes this safe."""
    for path in _staging(out).iterdir():
        path.unlink()


def _save_staged(picture: Image.Image, staging: Path, suffix: str) -> Path:
    with NamedTemporaryFile(dir=staging, suffix=suffix, delete=False) as handle:
        path = Path(handle.name)
    return save_image(picture, path)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 4)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
