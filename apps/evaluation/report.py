"""Results as JSON and as a Markdown page with plots and sheets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.console import plain
from apps.evaluation.setting import Setting, Suite
from apps.outputs import save_json
from multimodal.files.weights import atomic

RESULTS, REPORT = "results.json", "report.md"
FORMAT = "semblance evaluation 1"

Results = dict[str, Any]


def gather(setting: Setting, suites: Sequence[Suite]) -> Results:
    """The suites as plain data, beside those that are in the folder already for this model."""
    results = _known(setting)
    for suite in suites:
        results["suites"][suite.name] = {
            "plan": asdict(setting.plan),
            "tables": {
                table.name: {"about": table.about, "detail": table.detail, "rows": table.rows}
                for table in suite.tables
            },
            "pictures": [[about, path.name] for about, path in suite.pictures],
        }
    return results


def write(setting: Setting, results: Results) -> dict[str, Path]:
    """Write `results.json` and `report.md`; returns both paths."""
    paths = {"results": save_json(setting.out / RESULTS, results), "report": setting.out / REPORT}
    with atomic(paths["report"]) as part:
        part.write_text(markdown(plain(results)), encoding="utf-8")
    return paths


def markdown(results: Mapping[str, Any]) -> str:
    """The report's text."""
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    parts = [
        f"# How good is `{results['model']}`?",
        f"Measured by `semblance evaluate --model {results['model']}` ({machine}).",
        *about_judge(results["judge"]),
    ]
    for name, suite in results["suites"].items():
        plan = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in suite["plan"].items())
        parts += [f"## {name.capitalize()}", f"`semblance evaluate --suite {name}`: {plan}."]
        for title, content in suite["tables"].items():
            if not content["detail"]:
                parts += [f"### {title.capitalize()}", content["about"], table(content["rows"])]
        parts += [f"{about}\n\n![{about}]({file})" for about, file in suite["pictures"]]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; empty without rows."""
    if not rows:
        return "Nothing to measure."
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names)]
    lines += [[cell(row.get(name)) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value: Any) -> str:
    """A figure for people: three digits, a dash for nothing."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def about_judge(figures: Mapping[str, float]) -> list[str]:
    """What the judge itself gets right, where that is known."""
    names = [n for n in figures if f"soft_{n}" in figures and n != "years"]
    if not names:
        return ["The judge carries no figures of its own."]
    rows = [
        {"attribute": n, "accuracy": figures[n], "on worse pictures": figures[f"soft_{n}"]}
        for n in names
    ]
    about = (
        f"The judge, on {figures.get('pictures', 0):.0f} held-out renders (mean over classes; age "
        f"within {figures.get('years', 0):.1f} years on average):"
    )
    return ["## The judge", about, table(rows)]


def _known(setting: Setting) -> Results:
    """What the folder holds for this model, or a new start."""
    path = setting.out / RESULTS
    fresh: Results = {
        "format": FORMAT,
        "model": setting.model,
        "judge": setting.judge.figures,
        "machine": _machine(setting),
        "suites": {},
    }
    if not path.is_file():
        return fresh
    found = json.loads(path.read_text(encoding="utf-8"))
    same = found.get("format") == FORMAT and found.get("model") == setting.model
    return {**fresh, "suites": found["suites"]} if same else fresh


def _machine(setting: Setting) -> dict[str, Any]:
    import torch

    return {
        "device": str(setting.editor.device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
