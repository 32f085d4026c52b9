"""`semblance study`: ask people what they think of pictures, and read their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.commands.options import Json
from apps.console import counter, report, say

Folder = Annotated[
    Path, typer.Argument(help="A folder a method, and perhaps `reference`.", show_default=False)
]
Kind = Annotated[str, typer.Option(help="mos, dmos or choice (which of three).")]
Asked = Annotated[str | None, typer.Option("--question", help="Asked in place of the usual one.")]
Out = Annotated[Path | None, typer.Option(help="The page, or the table; default: in the folder.")]
Answers = Annotated[
    list[Path] | None,
    typer.Option(help="Files of answers, or a folder of them: make the table. May be given again."),
]


def study(
    folder: Folder,
    kind: Kind = "mos",
    question: Asked = None,
    answers: Answers = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Make a web page that asks people about pictures, or a table of what they answered.

    The page holds the pictures and sends nothing: people save their answers as a file.
    """
    from apps.study.answers import figures, read_answers, save_table
    from apps.study.page import write_page
    from apps.study.plan import Study, plan_study

    if answers:
        found = Study.load(folder)
        rows = figures(found, read_answers(found, answers))
        table = save_table(rows, out or folder / "opinions.csv")
        for row in rows:
            say(f"{row.method}  {row.value:.2f}  [{row.low:.2f}, {row.high:.2f}]")
        report({"table": table, "methods": len(rows)}, as_json)
        return
    made = plan_study(folder, kind)
    with counter("embedding pictures") as advance:
        page = write_page(made, folder, out or folder / "study.html", question, advance)
    made.save(folder)
    report({"page": page, "kind": kind, "questions": len(made.questions)}, as_json)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(study)
