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
    known_as: Annotated[
        list[str] | None, typer.Option(help="A name people reach it by; may be given again.")
    ] = None,
    hourly: Annotated[int, typer.Option(min=1, help="MB an address may send an hour.")] = 1024,
    root_path: Annotated[
        str, typer.Option(help="Where a proxy shows the studio, as in /faces.")
    ] = "",
    queue: Annotated[int, typer.Option(min=1, help="Requests that may wait.")] = 24,
    model: Model = "default",
    device: Device = "auto",
) -> None:
    """Open the studio: a web app on this machine."""
    from apps.studio.server import ServerConfig, launch, parse_auth, warnings

    pairs = parse_auth(auth or [])
    config = ServerConfig(
        host, port, pairs, share, mcp, queue_size=queue, known_as=tuple(known_as or ()),
        hourly_bytes=hourly << 20, root_path=root_path,
    )  # fmt: skip
    for warning in warnings(config):
        say(f"warning: {warning}")
    say("loading the model ...")
    from apps.edits import load_editor
    from apps.studio.door.home import HOME

    HOME.uploads()  # before Gradio is imported, which looks where to write
    from apps.web import build_demo

    demo = build_demo(load_editor(model, device))

    def on_ready(url: str) -> None:
        say(f"Semblance is ready: {url}")
        if mcp and pairs:
            say(f"assistants bring the header 'Authorization: Bearer {config.token}'")

    launch(demo, config, on_ready=on_ready)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(web)
