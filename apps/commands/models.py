"""`semblance models`: what there is, what a file holds, fetch, convert."""

from __future__ import annotations

import typer

app = typer.Typer(help="List, inspect, fetch and convert models.", no_args_is_help=True)
