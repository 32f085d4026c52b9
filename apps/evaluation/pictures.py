"""Plots of figures, and sheets of the faces behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.evaluation.setting import Row
from apps.sheet import INK, PAPER, stack, strip
from multimodal.files.weights import atomic
from multimodal.images import save_image

if TYPE_CHECKING:
    from PIL import Image

COLOURS = ("#2f6f73", "#d9822b", "#7a4e8a", "#a8a29a")


class Grid:
    """Labelled pictures in labelled rows."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Image.Image]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, row: str) -> bool:
        return row in self._rows

    def width(self, row: str) -> int:
        """Pictures in a row."""
        return len(self._rows.get(row, {}))

    def add(self, row: str, label: str, picture: Image.Image) -> None:
        """Put a picture into a row; the picture labelled "" stands first, under the row's name."""
        self._rows.setdefault(row, {}).setdefault(label, picture)

    def save(self, path: Path, description: str) -> Path | None:
        """Write the sheet as a marked PNG; nothing where there are no pictures."""
        if not self._rows:
            return None
        strips = [
            strip(list(cells.values()), [label or row for label in cells])
            for row, cells in self._rows.items()
        ]
        return save_image(stack(strips), path, description)


def bars(path: Path, rows: Sequence[Row], label: str, figures: Sequence[str]) -> Path | None:
    """Horizontal bars of figures, a group for each row; rows without them are left out."""
    rows = [row for row in rows if any(row.get(name) is not None for name in figures)]
    if not rows:
        return None
    figure, axes = _figure(7.0, 1.2 + 0.28 * len(rows) * len(figures))
    height = 0.8 / len(figures)
    for place, name in enumerate(figures):
        at = [index + place * height for index in range(len(rows))]
        values = [row.get(name) or 0.0 for row in rows]
        axes.barh(at, values, height * 0.9, color=COLOURS[place % len(COLOURS)], label=name)
    middle = (len(figures) - 1) * height / 2
    axes.set_yticks([i + middle for i in range(len(rows))], [str(row[label]) for row in rows])
    axes.invert_yaxis()
    axes.legend(frameon=False)
    return _save(figure, path)


def scatter(
    path: Path, rows: Sequence[Row], label: str, x: str, y: str, log: bool = False
) -> Path | None:
    """One named point a row; rows without the figures are left out."""
    rows = [row for row in rows if row.get(x) is not None and row.get(y) is not None]
    if not rows:
        return None
    figure, axes = _figure(7.0, 4.6)
    for index, row in enumerate(rows):
        axes.scatter(row[x], row[y], s=36, color=COLOURS[index % len(COLOURS)])
        axes.annotate(str(row[label]), (row[x], row[y]), (5, 4), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip
    if log and all(row[x] > 0 for row in rows):
        axes.set_xscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return _save(figure, path)


def kept(pictures: Sequence[tuple[str, Path | None]]) -> list[tuple[str, Path]]:
    """The pictures that were written."""
    return [(about, path) for about, path in pictures if path is not None]


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    with atomic(path) as part:
        figure.savefig(part, format="png")
    return path
