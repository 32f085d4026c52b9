"""The memory of a batch: which photos are done, kept so that a killed run can go on.

One JSON object a line, flushed to disk before the picture it describes is put in place: a row
counts only when its picture is there, so a kill at any moment leaves each photo done or not done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from apps.batch.manifest import Item
from apps.console import plain
from multimodal.files.weights import sha256_of

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Row:
    """What became of one photo.

    Args:
        name: the photo's name in this batch, unique; also its output's path below `--out`.
        path: where the photo was read.
        output: the picture written, relative to `--out`, or "" after a failure.
        error: why there is no picture, or "".
        seconds: time spent on it.
        scores: figures of the edit.
        overrides: digest of what a manifest's row set for this photo, "" for nothing.
        photo: digest of the photo's bytes, "" where it could not be read.
    """

    name: str
    path: str
    output: str = ""
    error: str = ""
    seconds: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    overrides: str = ""
    photo: str = ""


def photo_digest(path: Path) -> str:
    """What tells a photo from another of its name; "" for none, or one that cannot be read."""
    try:
        return sha256_of(path)[:16]
    except OSError:
        return ""


class Journal:
    """The open journal of a batch folder; one process at a time.

    Args:
        folder: the batch's output folder.
        plan: what is done to each photo; a folder begun under another plan is refused.

    Raises:
        ValueError: the folder holds another plan's results, or another process is writing to it.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / JOURNAL
        self._file: IO[bytes] = self.path.open("ab+")
        try:
            _lock(self._file, folder)
            self.rows = self._read(plan)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def done(self, item: Item, retry_failed: bool = False) -> bool:
        """Whether a photo needs no more work: done before, of those bytes, with those settings."""
        row = self.rows.get(item.name)
        if row is None or (row.error and retry_failed):
            return False
        return row.overrides == item.digest and row.photo == photo_digest(item.path)

    def commit(self, row: Row, staged: Path | None) -> None:
        """Record `row` and put its staged picture in place."""
        self._append({"row": plain(vars(row))})
        if staged is not None:
            target = self.folder / row.output
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, target)
        self.rows[row.name] = row

    def _read(self, plan: Mapping[str, Any]) -> dict[str, Row]:
        entries = list(self._entries())
        wanted = plain(plan)
        if not any("row" in entry for entry in entries):
            # A run that did nothing (its model did not load) does not bind the next one.
            self._file.truncate(0)
            self._append({"plan": wanted})
            return {}
        if entries[0].get("plan") != wanted:
            raise ValueError(
                f"{self.folder} holds the results of another edit: choose another --out"
            )
        rows = (Row(**entry["row"]) for entry in entries if "row" in entry)
        return {row.name: row for row in rows if row.error or (self.folder / row.output).is_file()}

    def _entries(self) -> Iterator[dict[str, Any]]:
        """Whole lines; what a kill left of a line is cut off."""
        self._file.seek(0)
        whole = 0
        for line in self._file:
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n") or not isinstance(entry, dict):
                break
            whole += len(line)
            yield entry
        self._file.truncate(whole)

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _lock(file: IO[bytes], folder: Path) -> None:
    """Hold the journal until it is closed (or its process dies), where the system can."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs into one folder are the user's to avoid
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(f"another batch is writing to {folder}") from error
