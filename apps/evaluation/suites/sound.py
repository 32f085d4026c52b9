"""Edits by sounds, the same edits by words beside them, and which sound goes with which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from apps.evaluation.measures import edits
from apps.evaluation.measures.edits import FIGURES, Subject
from apps.evaluation.measures.goals import Wish, meaning_of
from apps.evaluation.pictures import Grid, bars, kept
from apps.evaluation.setting import Row, Setting, Suite, Table, means
from apps.hearing import DEAF
from multimodal.editing.editing import embed

SHOWN = 4
SOUND_METHOD = "sound-optimize"
RETRIEVAL = (
    "Top-1 among the sounds (and among their meanings): each sound finds its words, each text its "
    "sound. `cosine`: of a sound and its own words; `chance`: of a guess."
)


@dataclass(frozen=True)
class Noise:
    """A sound file and what it asks for."""

    path: Path
    wish: Wish

    @property
    def name(self) -> str:
        """Of the file, without suffix."""
        return self.path.stem


def known_sounds(paths: Sequence[Path]) -> list[Noise]:
    """The sounds whose file names say what they are.

    Raises:
        ValueError: none does.
    """
    found = [(path, meaning_of(path.stem)) for path in paths]
    noises = [Noise(path, wish) for path, wish in found if wish is not None]
    if not noises:
        raise ValueError("no sound file's name says what it is: call it laugh.wav, scream.wav, ...")
    return noises


def run(setting: Setting) -> Suite:
    """The suite: edits by sound and by words, by method and by sound; retrieval.

    Raises:
        ValueError: a model that does not hear.
    """
    if setting.editor.toolkit.sound is None:
        raise ValueError(DEAF)
    noises = known_sounds(setting.sounds)
    slow, faces = edits.faces_of(setting)
    rows: list[Row] = []
    grid = Grid()
    for method in [*edits.methods(setting), *([SOUND_METHOD] if slow else [])]:
        some = slow if edits.is_slow(method) else faces
        for index, subject in enumerate(some):
            setting.advance(index, len(some), f"sound edits by {method}")
            for noise in noises:
                rows += _both(setting, subject, noise, method, grid)
    size = f"{len(faces)} held-out renders, {len(noises)} sounds;"
    tables = _tables(edits.with_auto(setting, rows), size)
    tables.insert(2, Table("retrieval", RETRIEVAL, [retrieval(setting, noises)]))
    return Suite("sound", tables, _pictures(setting, tables[0].rows, grid))


def _tables(rows: list[Row], size: str) -> list[Table]:
    note = "The same by sound; a sound that no face makes has no success, only change."
    by_sound = means(rows, ("sound", "method", "by"), FIGURES)
    by = "`by`: the sound, or what it means in words."
    return [
        Table("by method", f"{size} {by} {edits.ABOUT}", means(rows, ("method", "by"), FIGURES)),
        Table("by sound", note, by_sound),
        Table("every edit", "", rows, detail=True),
    ]


def _pictures(setting: Setting, found: list[Row], grid: Grid) -> list[tuple[str, Path]]:
    named = [row | {"name": f"{row['method']}, {row['by']}"} for row in found]
    plot = bars(setting.out / "sound.png", named, "name", ("success", "good", "identity"))
    sheet = grid.save(setting.out / "sound-faces.png", "edits by sounds")
    return kept([("Success and identity.", plot), ("Edits by sound, as `auto` makes them.", sheet)])


def _both(setting: Setting, subject: Subject, noise: Noise, method: str, grid: Grid) -> list[Row]:
    """An edit by a sound and, for the methods that read words, the same by words."""
    wish, name = noise.wish, subject.sample.name
    if wish.goals and not wish.applies(setting.judge.config, subject.reading):
        return []
    row, result = edits.measured(setting, subject, wish, method, sound=str(noise.path))
    rows = [{"sound": noise.name, "by": "sound"} | row]
    if method == edits.auto(setting) and (name in grid or len(grid) < SHOWN):
        grid.add(name, "", subject.before)
        grid.add(name, noise.name, result.after)
    if method != SOUND_METHOD and wish.goals:
        row, _ = edits.measured(setting, subject, wish, method, text=wish.text)
        rows.append({"sound": noise.name, "by": "words"} | row)
    return rows


def retrieval(setting: Setting, noises: Sequence[Noise]) -> Row:
    """Top-1 of sounds to words and of words to sounds, over distinct meanings."""
    first = {noise.wish.text: noise for noise in reversed(noises)}
    texts = list(first)
    said = torch.cat([embed(setting.editor, text=text) for text in texts]).cpu()
    heard = torch.cat([embed(setting.editor, sound=str(n.path)) for n in noises]).cpu()
    right = torch.tensor([texts.index(noise.wish.text) for noise in noises])
    likeness = heard @ said.T
    finds = right[likeness.argmax(dim=0)] == torch.arange(len(texts))
    return {
        "sounds": len(noises),
        "meanings": len(texts),
        "sound_to_text": float((likeness.argmax(dim=1) == right).float().mean()),
        "text_to_sound": float(finds.float().mean()),
        "cosine": float(likeness.gather(1, right[:, None]).mean()),
        "chance": 1 / len(texts),
    }
