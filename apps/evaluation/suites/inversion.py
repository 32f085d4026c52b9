"""Inversion: quality against time by method, and reconstruction against editability by space.

The trade-offs are those of Tov et al. 2021, "Designing an Encoder for StyleGAN Image Manipulation",
section 3, and of the surveys after it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.evaluation.measures.quality import ABOUT, FIGURES, Target, quality
from apps.evaluation.measures.spaces import ABOUT as SPACES_ABOUT
from apps.evaluation.measures.spaces import Coded, editability
from apps.evaluation.pictures import Grid, kept, scatter
from apps.evaluation.samples import Sample
from apps.evaluation.setting import Row, Setting, Suite, Table, means
from multimodal.images import resize, to_tensor
from multimodal.inversion.methods.style_space import invert_styles
from multimodal.inversion.objective import Objective
from multimodal.inversion.options import DescentOptions, Weights
from multimodal.types import Face

SHOWN = 4
STYLES = "adam in s"


@dataclass(frozen=True)
class Case:
    """One way to invert.

    Args:
        name: in tables.
        method: of `multimodal.inversion.METHODS`, or `STYLES`.
        options: of the method.
        slow: many seconds a face.
        space: the latent space it stands for, or "".
    """

    name: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    slow: bool = True
    space: str = ""


def cases(setting: Setting) -> list[Case]:
    """What is compared; an encoder's methods only where the model has one."""
    steps, encoder = setting.plan.steps, setting.editor.encoder
    found: list[Case] = []
    if encoder is not None:
        found.append(Case("encoder", "encoder", {}, slow=False))
        if getattr(encoder, "sees_reconstruction", False):
            for count in (1, 2, 3, 5):
                looks = {"passes": count}
                found.append(Case(f"encoder, passes={count}", "encoder", looks, slow=False))
        found.append(Case(f"hybrid, {_few(steps)} steps", "hybrid", {"steps": _few(steps)}))
        found.append(Case(f"hybrid, {steps} steps", "hybrid", {"steps": steps}))
        found.append(Case(f"in-domain, {steps} steps", "idinvert", {"steps": steps}))
    for space in ("z", "w", "w+", "p", "pn+"):
        options: dict[str, Any] = {"space": space, "steps": steps}
        if space == "pn+":
            options["prior"] = 0.01
        found.append(Case(f"adam in {space}", "adam", options, space=space))
    found.append(Case(STYLES, STYLES, {"steps": steps}, space="s"))
    found.append(Case(f"projector, {2 * steps} steps", "projector", {"steps": 2 * steps}))
    found.append(Case("pivotal tuning", "pti", {"steps": 2 * steps, "pivot_steps": steps}))
    return found


def run(setting: Setting) -> Suite:
    """The suite: tables on renders and on portraits, plots, a sheet of reconstructions."""
    rows: list[Row] = []
    coded: list[Coded] = []
    targets: dict[str, Target] = {}
    grid = Grid()
    for case in cases(setting):
        samples = [*setting.renders(case.slow), *setting.portraits(case.slow)]
        for index, sample in enumerate(samples):
            setting.advance(index, len(samples), case.name)
            face, seconds = inverted(setting, case, sample)
            if sample.name not in targets:
                targets[sample.name] = Target.of(face.aligned, setting)
            about = {"method": case.name, "space": case.space, "kind": sample.kind}
            figures = quality(setting, targets[sample.name], setting.editor.draw(face))
            rows.append(about | {"face": sample.name} | figures | {"seconds": seconds})
            if case.space:
                coded.append(Coded(case.space, sample.name, sample.kind, face))
            _show(setting, grid, case, sample, face)
    return _suite(setting, rows, editability(setting, coded), grid)


def inverted(setting: Setting, case: Case, sample: Sample) -> tuple[Face, float]:
    """A sample inverted by a case, and the seconds it took."""
    editor, seed = setting.editor, setting.plan.seed
    began = time.perf_counter()
    if case.method != STYLES:
        face = editor.invert(sample.image, case.method, aligned=True, seed=seed, **case.options)
    else:
        tools, aligned = editor.toolkit, resize(sample.image, editor.generator.resolution)
        target = to_tensor(aligned).to(editor.device)
        objective = Objective(target, Weights(), tools.lpips, tools.identity)
        options = DescentOptions(**case.options)
        face = Face(invert_styles(editor.generator, objective, options, seed), aligned)
    return face, time.perf_counter() - began


def _show(setting: Setting, grid: Grid, case: Case, sample: Sample, face: Face) -> None:
    """Put a reconstruction into the sheet, for the samples that slow methods see too."""
    name = f"{sample.kind} {sample.name}"
    shown = [*setting.renders(slow=True)[:SHOWN], *setting.portraits(slow=True)[:SHOWN]]
    if sample in shown:
        grid.add(name, "", face.aligned)
        grid.add(name, case.name, setting.editor.reconstruct(face))


def _suite(setting: Setting, rows: list[Row], edited: list[Row], grid: Grid) -> Suite:
    spaces = _by_space(rows, edited)
    sheet = grid.save(setting.out / "inversion-faces.png", "reconstructions by inversion method")
    plot = scatter(setting.out / "inversion-spaces.png", spaces, "space", "lpips", "success")
    pictures = [
        ("Reconstructions by method.", sheet),
        ("Reconstruction against editability by latent space.", plot),
    ]
    tables = [Table("latent spaces", SPACES_ABOUT, spaces)]
    for kind in ("render", "portrait"):
        found = means([r for r in rows if r["kind"] == kind], ("method",), FIGURES)
        tables.append(Table(f"{kind}s", f"On {kind}s. {ABOUT}", found))
        path = setting.out / f"inversion-{kind}s.png"
        plot = scatter(path, found, "method", "seconds", "lpips", log=True)
        pictures.append((f"Quality against time on {kind}s.", plot))
    tables.append(Table("every inversion", "", rows, detail=True))
    tables.append(Table("every edit by space", "", edited, detail=True))
    return Suite("inversion", [t for t in tables if t.rows], kept(pictures))


def _by_space(rows: list[Row], edited: list[Row]) -> list[Row]:
    """Reconstruction and editability side by side, a row a space and kind of face."""
    made = means([r for r in rows if r["space"]], ("space", "kind"), ("lpips", "identity"))
    figures = ("success", "kept", "moved")
    judged = {(r["space"], r["kind"]): r for r in means(edited, ("space", "kind"), figures)}
    out = []
    for row in made:
        edits = judged.get((row["space"], row["kind"]), {})
        name = f"{row['space']} ({row['kind']}s)"
        found = {figure: edits.get(figure) for figure in figures}
        out.append(row | {"space": name, "edits": edits.get("n", 0)} | found)
    return out


def _few(steps: int) -> int:
    return max(1, steps // 3)
