"""What is heard over time, drawn: a row for each sound, as dark as its share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from multimodal.files.weights import atomic

if TYPE_CHECKING:
    from audio.hearing.heard import Heard

ROWS = 6
FACE, OTHER = "#2f6f73", "#a8a29a"


def save_strip(hop: float, moments: Sequence[Heard], path: Path) -> Path:
    """Draw moments that are `hop` seconds apart into a PNG; sounds that a face makes are green.

    Raises:
        ValueError: there are no moments: the ears know no words.
    """
    if not moments:
        raise ValueError("these ears know no words, so there is nothing to draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = loudest(moments)
    figure = Figure(figsize=(7.0, 0.8 + 0.34 * len(names)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        shares = [dict(moment.sounds).get(name, 0.0) for moment in moments]
        for index, share in enumerate(shares):
            color = FACE if moments[index].has_face else OTHER
            axes.barh(row, hop, left=(index - 0.5) * hop, height=0.8, color=color, alpha=share)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, max(hop, (len(moments) - 1) * hop))
    axes.invert_yaxis()
    axes.set_xlabel("seconds; green: a face follows, grey: it stays")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(left=False)
    with atomic(path) as part:
        figure.savefig(part, format="png")
    return path


def loudest(moments: Sequence[Heard], most: int = ROWS) -> list[str]:
    """Names with the largest shares over all moments, the largest first."""
    total: dict[str, float] = {}
    for moment in moments:
        for name, share in moment.sounds:
            total[name] = total.get(name, 0.0) + share
    return sorted(total, key=lambda name: -total[name])[:most]
