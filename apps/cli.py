"""`semblance`: faces edited by words and sounds, from the command line.

Progress goes to stderr, results to stdout (`--json` for programs). Bad input ends with exit code 2
and one line that says what was wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer

from apps.threads import be_patient, begun

COMMANDS = (
    "demo", "pictures.edit", "pictures.animate", "pictures.batch", "web", "pictures.invert",
    "pictures.parse", "pictures.sample", "pictures.interpolate", "pictures.faces",
    "pictures.restore", "pictures.compose", "heads.turn", "heads.draw", "pictures.video",
    "training.adapt", "training.train_mapper", "training.train_adapter", "training.train_labels",
    "training.directions", "training.channels", "evaluate", "study", "models",
)  # fmt: skip
"""Modules of `apps.commands`, in the order the help shows them; each has `register(app)`."""


def build_app() -> typer.Typer:
    """The command-line program with every command."""
    app = typer.Typer(
        name="semblance",
        help="Edit faces with words and sounds.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for name in COMMANDS:
        register: Callable[[typer.Typer], None] = import_module(f"apps.commands.{name}").register
        register(app)
    return app


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; returns the exit code (0 done, 2 bad input, 130 interrupted)."""
    be_patient()
    begun()
    try:
        outcome: Any = build_app()(arguments, standalone_mode=False)
    except (ValueError, OSError) as error:
        return _complain(str(error) or type(error).__name__)
    except (KeyboardInterrupt, typer.Abort):
        print("stopped", file=sys.stderr)
        return 130
    except Exception as error:
        # Typer's own usage errors; their class moves between its releases.
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":  # the help itself, in lines
            print(error.format_message(), file=sys.stderr)
            return 2
        return _complain(error.format_message())
    return outcome if isinstance(outcome, int) else 0


def main() -> None:
    """Entry point of the `semblance` command."""
    if os.environ.get("SEMBLANCE_TRACEBACK"):
        build_app()()
    sys.exit(run())


def _complain(message: str) -> int:
    print(f"semblance: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
