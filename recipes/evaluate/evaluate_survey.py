"""One table of every inversion method and every direction method, for a model.

    python -m recipes.evaluate.evaluate_survey --out runs/survey --page docs/comparison.md
    python -m recipes.evaluate.evaluate_survey --out runs/survey --page docs/comparison.md --quick

Rows are written as they are made: the same command goes on where it stopped. After a training,
`--quick` measures anew what takes seconds; what is known of former weights alone stays, marked.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from apps.evaluation.measures.edits import Subject, fitting, is_slow, measured, subjects
from apps.evaluation.measures.goals import SPACE_PROMPTS, Wish, flipped, prompt
from apps.evaluation.run import make_setting
from apps.evaluation.samples import Sample, spread
from apps.evaluation.setting import Plan, Row, Setting, means
from guidance.common import apply_offset, draw
from multimodal.files.weights import atomic
from multimodal.images import resize, to_pil, to_tensor
from recipes.evaluate import survey_cases as cases
from recipes.evaluate import survey_walks as walks

BEGIN, END = "<!-- survey: begin -->", "<!-- survey: end -->"
INVERSION = ("lpips", "identity", "seconds", "editability", "success", "acceptance")
DIRECTION = ("success", "identity", "flipped", "seconds")
ABOUT = ("part", "method", "wish", "face", "share", "weights")
"""What a row is about."""
FORMER = " †"
Say = Callable[[str], None]
Edited = Callable[[Subject, Wish], Row | None]


class TimeUpError(Exception):
    """The minutes that were given are over."""


@dataclass
class Rows:
    """Rows on disk, one JSON object a line.

    Args:
        path: of the file.
        known: those read from it, by what they are about.
        say: told what is being measured.
        until: of the monotonic clock: no new row is begun after it.
    """

    path: Path
    known: dict[str, Row]
    say: Say = lambda text: None
    until: float = math.inf

    @classmethod
    def open(cls, path: Path, say: Say = lambda text: None, minutes: float = 0.0) -> Rows:
        """Those of a file that may not be there yet; a line cut off by an interrupt is left out."""
        known = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                known[_key(row)] = row
        return cls(path, known, say, time.monotonic() + 60 * minutes if minutes else math.inf)

    def have(self, about: Row, make: Callable[[], Row]) -> Row:
        """The row about something, made, timed and kept where it is not known.

        Raises:
            TimeUpError: it would have to be made, and the time is over.
        """
        if _key(about) not in self.known:
            if time.monotonic() > self.until:
                raise TimeUpError
            self.say(" ".join(str(about[name]) for name in ABOUT[:4] if about.get(name)))
            self.known[_key(about)] = row = about | make()
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(row))
        return self.known[_key(about)]


def _key(row: Row) -> str:
    return json.dumps([row.get(name) for name in ABOUT])


def weights_of(setting: Setting) -> str:
    """Which weights a model draws with, as its generator's file says."""
    folder = setting.editor.toolkit.folder
    path = None if folder is None else folder / "generator.json"
    if path is None or not path.is_file():
        return ""
    return str(json.loads(path.read_text(encoding="utf-8")).get("sha256", ""))[:8]


def faces_of(setting: Setting, slow: bool) -> list[Sample]:
    """The faces to use: portraits where the pack has some, else renders."""
    count = min(setting.plan.slow_faces, setting.plan.faces) if slow else setting.plan.faces
    return spread(setting.pack.portraits or setting.pack.renders, count)


def inversion_rows(setting: Setting, rows: Rows, share: float, slow: bool) -> Iterator[Row]:
    """A row for each method and face; `why` instead of figures where a method does not apply.

    Args:
        setting: the parts.
        rows: those known, and where new ones go.
        share: of the slow methods' usual steps.
        slow: the slow methods, or the others.
    """
    for case in cases.inversions(share):
        if case.slow != slow:
            continue
        for sample in faces_of(setting, slow):
            about = _about(setting, "inversion", case.name, sample.name)
            about |= {"share": share} if slow else {}
            row = rows.have(about, partial(_inverted, setting, case, sample))
            yield row
            if "why" in row:
                break


def _about(setting: Setting, part: str, method: str, face: str, wish: str = "") -> Row:
    about = {"part": part, "method": method, "face": face, "weights": weights_of(setting)}
    return about | ({"wish": wish} if wish else {})


def _inverted(setting: Setting, case: cases.Inversion, sample: Any) -> Row:
    editor, tools = setting.editor, setting.editor.toolkit
    began = time.process_time()
    try:
        face = editor.invert(
            sample.image, case.method, aligned=True, seed=setting.plan.seed, **case.options
        )
    except ValueError as error:
        return {"why": str(error)}
    row: Row = {"seconds": time.process_time() - began}
    with torch.no_grad():
        drawn = editor.draw(face).clamp(-1, 1)
        true = to_tensor(resize(sample.image, drawn.shape[-1])).to(drawn)
        row["lpips"] = None if tools.lpips is None else float(tools.lpips(drawn, true))
        if tools.identity is not None:
            row["identity"] = float((tools.identity(drawn) * tools.identity(true)).sum())
    row["acceptance"] = face.report.get("acceptance")
    subject = Subject(sample, face, to_pil(drawn), setting.read(to_pil(drawn)))
    made = [
        measured(setting, subject, wish, "direction", text=wish.text)[0]
        for wish in fitting(setting, subject, [prompt(text) for text in SPACE_PROMPTS])
    ]
    edits = means([{"all": 1} | one for one in made], ("all",), ("direction", "success"))
    found = edits[0] if edits else {}
    return row | {"editability": found.get("direction"), "success": found.get("success")}


def direction_rows(setting: Setting, rows: Rows, slow: bool) -> Iterator[Row]:
    """A row for each method, face and wish that makes sense there."""
    faces = subjects(setting, faces_of(setting, slow))
    wishes = [prompt(text) for text in SPACE_PROMPTS[:: 2 if slow else 1]]
    for name, edited in _editors(setting).items():
        for subject in faces if is_slow(name) == slow else ():
            for wish in fitting(setting, subject, wishes):
                about = _about(setting, "direction", name, subject.sample.name, wish.text)
                yield rows.have(about, partial(_timed, edited, subject, wish))
    for name, make in () if slow else walks.aims(setting).items():
        make = cache(make)
        for subject in faces:
            about = _about(setting, "direction", name, subject.sample.name)
            yield rows.have(about, partial(_walked, setting, subject, make))


def _timed(edited: Edited, subject: Subject, wish: Wish) -> Row:
    began = time.process_time()
    try:
        found = edited(subject, wish)
    except ValueError as error:
        return {"why": str(error)}
    if found is None:
        return {"why": "no direction means what is asked"}
    return {"seconds": time.process_time() - began} | found


def _walked(setting: Setting, subject: Subject, make: Callable[[], walks.Aim]) -> Row:
    try:
        aim = make()
    except ValueError as error:
        return {"why": str(error)}
    began = time.process_time()
    row = moved(setting, subject, NO_WISH, aim.offset, walks.FULL)
    latent = apply_offset(setting.editor.generator, subject.face.latent, aim.offset, walks.FULL)
    row["success"] = aim.achieved(subject.face.latent, latent)
    return row | {"seconds": time.process_time() - began}


NO_WISH = Wish("", ())


def _editors(setting: Setting) -> dict[str, Edited]:
    """Every direction method as a function from face and wish to figures."""

    def worded(method: str) -> Edited:
        def edited(subject: Subject, wish: Wish) -> Row:
            row, _ = measured(setting, subject, wish, method, text=wish.text)
            return {name: row[name] for name in ("success", "identity", "flipped")}

        return edited

    def slider(subject: Subject, wish: Wish) -> Row | None:
        found = cases.named(setting, wish)
        return None if found is None else moved(setting, subject, wish, *found)

    @cache
    def read(kind: str) -> list[Any]:
        directions = cases.unnamed(kind, setting.editor.generator, setting.plan.seed)
        return cases.read_moved(setting, directions, setting.plan.seed)

    def found_by(kind: str) -> Edited:
        return lambda subject, wish: moved(
            setting, subject, wish, *cases.fitting(setting, wish, read(kind))
        )

    return {
        **{name: worded(name) for name in cases.guidances(setting)},
        "sliders": slider,
        **{kind: found_by(kind) for kind in cases.UNNAMED},
    }


@torch.no_grad()
def moved(setting: Setting, subject: Subject, wish: Wish, offset: Any, strength: float) -> Row:
    """Figures of a face moved along a direction."""
    editor, config = setting.editor, setting.judge.config
    generator = editor.generator_for(subject.face)
    latent = apply_offset(generator, subject.face.latent, offset, strength)
    after = to_pil(draw(generator, latent).clamp(-1, 1))
    reading = setting.read(after)
    row: Row = {
        "success": wish.fulfilled(config, reading),
        "flipped": len(flipped(config, subject.reading, reading, wish.related)),
    }
    who = editor.toolkit.identity
    if who is not None:
        pair = [to_tensor(picture).to(editor.device) for picture in (subject.before, after)]
        row["identity"] = float((who(pair[0]) * who(pair[1])).sum())
    return row


def tables(rows: Iterable[Row], weights: str) -> str:
    """Both tables as Markdown, with the number of faces that each figure is of."""
    found = list(rows)
    inverted, directed = (
        [_current(row, weights) for row in found if row["part"] == part]
        for part in ("inversion", "direction")
    )
    share = next((row["share"] for row in found if "share" in row), 1.0)
    parts = [
        f"Every inversion of held-out portraits, the slow ones with {share:g} of their usual "
        "steps. `seconds` are those of one core, with what is loaded at first use. "
        "`editability`: cosine of an edit's change of the picture and of the words (method "
        "`direction`), `success`: share of these edits that the judge sees.",
        _table(inverted, INVERSION),
        "Every direction method on the encoder's codes of the same portraits. `flipped`: unrelated "
        "attributes that changed, an edit (leakage). Of SeFa, GANSpace, the Jacobian and the "
        "channels, the judge chose on other faces which of ten directions means a wish; they go "
        "two deviations. A walk succeeds where it draws half of the edit or more, `quality` where "
        "its own score rises; both were learnt shortly.",
        _table(directed, DIRECTION),
    ]
    text = "\n\n".join(parts)
    if f"{FORMER} |" not in text:
        return text
    return f"{text}\n\n{FORMER.strip()}: with the weights before those that are shipped now."


def _current(row: Row, weights: str) -> Row:
    return row if row["weights"] == weights else row | {"method": row["method"] + FORMER}


def _newest(rows: list[Row]) -> list[Row]:
    """Without what was measured with former weights, where there is anything newer."""
    last = {row["method"].removesuffix(FORMER): row["weights"] for row in rows}
    now = {row["method"] for row in rows if not row["method"].endswith(FORMER)}
    return [
        row
        for row in rows
        if not row["method"].endswith(FORMER)
        or (
            (plain := row["method"].removesuffix(FORMER)) not in now
            and row["weights"] == last[plain]
        )
    ]


def _table(rows: list[Row], figures: tuple[str, ...]) -> str:
    lines = [
        "| method | n | " + " | ".join(figures) + " |",
        "| --- " * (len(figures) + 2) + "|",
    ]
    rows = sorted(_newest(rows), key=lambda row: row["method"].endswith(FORMER))
    whole = [row for row in rows if "why" not in row]
    for line in means(whole, ("method",), figures):
        cells = ["" if line[f] is None else f"{line[f]:.3g}" for f in figures]
        lines.append(f"| {line['method']} | {line['n']} | " + " | ".join(cells) + " |")
    known = {row["method"] for row in whole}
    for row in (r for r in rows if "why" in r and r["method"] not in known):
        known.add(row["method"])
        lines.append(f"| {row['method']} | | {row['why']} " + "| " * (len(figures) - 1) + "|")
    return "\n".join(lines)


def put_into(page: Path, text: str) -> None:
    """Put the tables between a page's two marks.

    Raises:
        ValueError: it has none.
    """
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} and {END}")
    with atomic(page) as part:
        part.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def main(
    out: Annotated[Path, typer.Option(help="folder of the rows and tables")],
    model: Annotated[str, typer.Option(help="name or folder of a model")] = "default",
    faces: Annotated[int, typer.Option(help="held-out portraits for quick methods")] = 2,
    slow_faces: Annotated[int, typer.Option(help="those for methods of half a minute")] = 1,
    share: Annotated[float, typer.Option(help="of the usual steps of slow inversions")] = 0.25,
    page: Annotated[Path | None, typer.Option(help="page whose marked part is replaced")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="quick methods alone")] = False,
    minutes: Annotated[float, typer.Option(help="begin no row after so many; 0: no limit")] = 0.0,
) -> None:
    """Measure, and write both tables of what is known."""
    from rich.console import Console

    from multimodal import FaceEditor

    plan = Plan(faces, min(faces, slow_faces))
    setting = make_setting(model, lambda: FaceEditor.from_pretrained(model), out, plan)
    rows = Rows.open(out / "rows.jsonl", Console(stderr=True).print, minutes)
    try:
        for slow in (False,) if quick else (False, True):
            list(inversion_rows(setting, rows, share, slow))
            list(direction_rows(setting, rows, slow))
    except TimeUpError:
        rows.say("the time is over: the same command goes on")
    text = tables(rows.known.values(), weights_of(setting))
    with atomic(out / "survey.md") as written:
        written.write_text(text + "\n", encoding="utf-8")
    if page is not None:
        put_into(page, text)


if __name__ == "__main__":
    typer.run(main)
