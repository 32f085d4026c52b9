"""One table of every inversion method and every direction method, for a model.

    python -m recipes.evaluate.evaluate_survey --faces 4 --out runs/survey --page docs/comparison.md

Rows are written as they are made: the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from apps.evaluation.measures.edits import Subject, fitting, is_slow, measured, subjects
from apps.evaluation.measures.goals import SPACE_PROMPTS, Wish, flipped, prompt
from apps.evaluation.run import make_setting
from apps.evaluation.setting import Plan, Row, Setting, means
from guidance.common import apply_offset, draw
from multimodal.files.weights import atomic
from multimodal.images import resize, to_pil, to_tensor
from recipes.evaluate import survey_cases as cases

BEGIN, END = "<!-- survey: begin -->", "<!-- survey: end -->"
INVERSION = ("lpips", "identity", "seconds", "cpu", "editability", "success", "acceptance")
DIRECTION = ("success", "identity", "flipped", "seconds")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Rows:
    """Rows on disk, one JSON object a line.

    Args:
        path: of the file.
        known: those read from it, by what they are about.
    """

    path: Path
    known: dict[str, Row]

    @classmethod
    def open(cls, path: Path) -> Rows:
        """Those of a file that may not be there yet; a line cut off by an interrupt is left out."""
        known = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                known[row["about"]] = row
        return cls(path, known)

    def have(self, about: str, make: Callable[[], Row]) -> Row:
        """The row about something, made and kept where it is not known."""
        if about not in self.known:
            self.known[about] = {"about": about} | make()
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + json.dumps(self.known[about]))
        return self.known[about]


def inversion_rows(setting: Setting, rows: Rows, share: float, say: Say) -> Iterator[Row]:
    """A row for each method and face; `why` instead of figures where a method does not apply."""
    for case in cases.inversions(share):
        for sample in setting.renders():
            say(f"{case.name}: {sample.name}")

            def make(case: cases.Inversion = case, sample: Any = sample) -> Row:
                return {"method": case.name} | _inverted(setting, case, sample)

            row = rows.have(f"inversion {case.name} {share} {sample.name}", make)
            yield row
            if "why" in row:
                break


def _inverted(setting: Setting, case: cases.Inversion, sample: Any) -> Row:
    editor, tools = setting.editor, setting.editor.toolkit
    began, worked = time.perf_counter(), time.process_time()
    try:
        face = editor.invert(
            sample.image, case.method, aligned=True, seed=setting.plan.seed, **case.options
        )
    except ValueError as error:
        return {"why": str(error)}
    row: Row = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - worked,
    }
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


def direction_rows(setting: Setting, rows: Rows, say: Say) -> Iterator[Row]:
    """A row for each method, face and wish that makes sense there."""
    faces = subjects(setting, setting.renders())
    wishes = [prompt(text) for text in SPACE_PROMPTS]
    for name, edited in _editors(setting).items():
        for subject in faces[: setting.plan.slow_faces] if is_slow(name) else faces:
            for wish in fitting(setting, subject, wishes):
                say(f"{name}: {wish.text}")

                def make(
                    edited: Edited = edited,
                    subject: Subject = subject,
                    wish: Wish = wish,
                    name: str = name,
                ) -> Row:
                    began = time.perf_counter()
                    found = edited(subject, wish)
                    spent = time.perf_counter() - began
                    return {"method": name, "seconds": spent} | (found or {"why": "no direction"})

                yield rows.have(f"direction {name} {wish.text} {subject.sample.name}", make)


Edited = Callable[[Subject, Wish], Row | None]


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

    chosen: dict[tuple[str, str], Any] = {}
    unnamed: dict[str, Any] = {}

    def found_by(kind: str) -> Edited:
        def edited(subject: Subject, wish: Wish) -> Row:
            if not unnamed:
                unnamed.update(cases.unnamed(setting.editor.generator, setting.plan.seed))
            if (kind, wish.text) not in chosen:
                fit = cases.fitting(setting, wish, unnamed[kind], setting.plan.seed)
                chosen[kind, wish.text] = fit
            return moved(setting, subject, wish, *chosen[kind, wish.text])

        return edited

    kinds = ("SeFa", "GANSpace", "orthogonal Jacobian")
    return {
        **{name: worded(name) for name in cases.guidances(setting)},
        "sliders": slider,
        **{kind: found_by(kind) for kind in kinds},
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


def tables(rows: Iterable[Row], share: float) -> str:
    """Both tables as Markdown, with the number of faces that each is of."""
    found = list(rows)
    inverted = [row for row in found if row["about"].startswith("inversion ")]
    directed = [row for row in found if row["about"].startswith("direction ")]
    seen, edited = (len({r["about"].split()[-1] for r in part}) for part in (inverted, directed))
    parts = [
        f"Every inversion of {seen} held-out renders, with {share:g} of the usual steps. "
        "`seconds` by the clock, `cpu` of the process alone. "
        "`editability`: cosine of an edit's change of the picture and of the words (method "
        "`direction`), `success`: share of these edits that the judge sees.",
        _table(inverted, INVERSION),
        f"Every direction method on {edited} faces (optimisations on fewer). `flipped`: unrelated "
        "attributes that changed, an edit (leakage). Of SeFa, GANSpace and the Jacobian, the "
        "judge chose on other faces which of ten directions means a wish; they go two deviations.",
        _table(directed, DIRECTION),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(rows: list[Row], figures: tuple[str, ...]) -> str:
    lines = [
        "| method | n | " + " | ".join(figures) + " |",
        "| --- " * (len(figures) + 2) + "|",
    ]
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
    faces: Annotated[int, typer.Option(help="held-out renders")] = 4,
    share: Annotated[float, typer.Option(help="of the usual steps of slow inversions")] = 1.0,
    slow_faces: Annotated[int, typer.Option(help="renders for edits by optimisation")] = 2,
    page: Annotated[Path | None, typer.Option(help="page whose marked part is replaced")] = None,
    part: Annotated[str, typer.Option(help="inversions, directions or both")] = "both",
) -> None:
    """Measure, and write both tables."""
    from rich.console import Console

    from multimodal import FaceEditor

    if part not in ("inversions", "directions", "both"):
        raise ValueError(f"part {part!r} is not one of inversions, directions, both")
    plan = Plan(faces, min(faces, slow_faces))
    setting = make_setting(model, lambda: FaceEditor.from_pretrained(model), out, plan)
    rows, say = Rows.open(out / "rows.jsonl"), Console(stderr=True).print
    if part != "directions":
        list(inversion_rows(setting, rows, share, say))
    if part != "inversions":
        list(direction_rows(setting, rows, say))
    text = tables(rows.known.values(), share)
    with atomic(out / "survey.md") as written:
        written.write_text(text + "\n", encoding="utf-8")
    if page is not None:
        put_into(page, text)


if __name__ == "__main__":
    typer.run(main)
