"""Tables as people write them: CSV of any spreadsheet, TSV, JSON lines, Parquet.

What cannot be meant as it stands is refused with the number of its row, before anything is edited:
a text that lost its second half to a comma would give a wrong picture without a word.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
MAX_BYTES = 64 * 2**20
SEPARATORS = ",;\t"
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
"""What files begin with that say their encoding."""


@dataclass(frozen=True)
class Table:
    """What a table says.

    Args:
        columns: their names, in small letters, in order.
        rows: (number, values by column) of each row that holds anything; the number is the
            spreadsheet's, in which the header is row 1 (in JSON lines, the line's). Values are
            texts without space around them, or numbers; empty ones are left out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]


def read_table(path: Path) -> Table:
    """The table in a file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another suffix, or something in it that cannot be read; says in which row.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"{path.name!r} is no table: use one of {', '.join(SUFFIXES)}")
    if suffix == ".parquet":
        return _parquet(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than the {MAX_BYTES >> 20} MB a table may have")
    text = _decoded(path.read_bytes(), path.name)
    return _json_lines(text, path.name) if suffix == ".jsonl" else _separated(text, path)


def _decoded(data: bytes, name: str) -> str:
    """Text in the encoding that it was saved in: with a mark, UTF-8, or what Windows calls ANSI."""
    marked = (encoding for mark, encoding in MARKS if data.startswith(mark))
    encoding = next(marked, None) or _guessed(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise ValueError(f"{name} is not text: {error.reason}") from None
    return data.decode("cp1252", errors="replace")


def _guessed(data: bytes) -> str:
    """UTF-16 without a mark shows as a zero beside every letter."""
    zeros = {"utf-16-be": data[:1000:2].count(0), "utf-16-le": data[1:1000:2].count(0)}
    wide = max(zeros, key=lambda name: zeros[name])
    return wide if zeros[wide] > len(data[:1000]) / 8 else "utf-8"


def _separated(text: str, path: Path) -> Table:
    separator, text = _separator(text, path)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    columns: tuple[str, ...] = ()
    rows = []
    try:
        for number, cells in enumerate(lines, start=1):
            values = [cell.strip() for cell in cells]
            if not columns:
                columns = _columns(values, path.name)
            elif any(values):
                rows.append((number, _row(columns, values, f"{path.name}, row {number}")))
    except csv.Error as error:
        raise ValueError(f"{path.name}, row {number + 1}: {error}") from None
    return Table(columns, tuple(rows))


def _separator(text: str, path: Path) -> tuple[str, str]:
    """What stands between cells, by the header, and the text from the header on."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.strip()) <= 5:  # a line for Excel alone
        return first[4:5].strip("\r") or "\t", rest
    if path.suffix.lower() == ".tsv":
        return "\t", text
    bare = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=bare.count), text


def _columns(cells: list[str], name: str) -> tuple[str, ...]:
    names = tuple(cell.lower() for cell in cells)
    while names and not names[-1]:
        names = names[:-1]
    twice = sorted({column for column in names if column and names.count(column) > 1})
    if twice:
        raise ValueError(f"{name} has two columns {twice[0]!r}")
    return names


def _row(columns: tuple[str, ...], cells: list[str], where: str) -> dict[str, Any]:
    more = [cell for cell in cells[len(columns) :] if cell]
    if more:
        raise ValueError(
            f"{where} has {len(cells)} cells, the header names {len(columns)}: a text with "
            'commas stands in quotes, as in "smile, no glasses"'
        )
    return {column: cell for column, cell in zip(columns, cells, strict=False) if cell and column}


def _json_lines(text: str, name: str) -> Table:
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            raise ValueError(f"{name}, line {number} is not a JSON object")
        rows.append((number, _plain(values, f"{name}, line {number}")))
    return Table(_all_columns(values for _, values in rows), tuple(rows))


def _parquet(path: Path) -> Table:
    import pandas

    try:
        frame = pandas.read_parquet(path)
    except Exception as error:  # pyarrow raises many types
        raise ValueError(f"cannot read the manifest {path.name}: {error}") from error
    columns = _columns([str(column).strip() for column in frame.columns], path.name)
    rows = []
    for number, cells in enumerate(frame.itertuples(index=False, name=None), start=2):
        values = dict(zip(columns, (_scalar(cell) for cell in cells), strict=False))
        rows.append((number, _plain(values, f"{path.name}, row {number}")))
    return Table(columns, tuple(rows))


def _scalar(value: Any) -> Any:
    import pandas

    if not pandas.api.types.is_scalar(value):
        return [value]
    return None if pandas.isna(value) else value.item() if hasattr(value, "item") else value


def _plain(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        column = str(name).strip().lower()
        if isinstance(value, list | dict) and column in ("path", "text", "neutral", "sound"):
            raise ValueError(f"{where}: {column} is no text")
        if isinstance(value, str):
            value = value.strip()
        if value is not None and value != "" and column:
            found[column] = value
    return found


def _all_columns(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for row in rows for column in row))
