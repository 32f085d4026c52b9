"""`semblance web`: the studio in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.commands.options import Device, Model
from apps.console import say


def web(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: a free one.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    auth: Annotated[list[str] | None, typer.Option(help="user:password that may sign in.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Ask for a public link.")] = False,
    mcp: Annotated[bool, typer.Option("--mcp", help="Offer the endpoints as MCP tools.")] = False,
    queue: Annotated[int, typer.Option(min=1, help="Requests that may wait.")] = 24,
    model: Model = "default",
    device: Device = "auto",
) -> None:
    """Open the studio: a web app on this machine."""
    from apps.studio.server import ServerConfig, launch, parse_auth, warnings

    pairs = parse_auth(auth or [])
    config = ServerConfig(host, port, pairs, share, mcp, queue_size=queue)
    for warning in warnings(config):
        say(f"warning: {warning}")
    say("loading the model ...")
    from apps.edits import load_editor
    from apps.web import build_demo

    demo = build_demo(load_editor(model, device))
    launch(demo, config, on_ready=lambda url: say(f"Semblance is ready: {url}"))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(web)
