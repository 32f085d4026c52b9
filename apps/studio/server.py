"""Serving the studio: address, sign-in, limits, health."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServerConfig:
    """How the studio is served.

    Args:
        host: address to listen on; only this machine unless changed.
        port: port, or None for the first free one from 7860.
        auth: (user, password) pairs that may sign in; empty means everybody who can reach it.
        share: ask Gradio for a public link.
        mcp: offer the endpoints as MCP tools.
        queue_size: requests that may wait; more are told to try again.
        max_file_size: largest upload, in bytes.
        sessions: people whose faces are remembered at once.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    auth: tuple[tuple[str, str], ...] = ()
    share: bool = False
    mcp: bool = False
    queue_size: int = 24
    max_file_size: int = 64 * 2**20
    sessions: int = 256


def parse_auth(given: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`user:password` options as pairs.

    Raises:
        ValueError: a part is missing, or is a wildcard.
    """
    pairs = []
    for entry in given:
        user, colon, password = entry.partition(":")
        if not colon or not user.strip() or not password.strip():
            raise ValueError("--auth takes user:password, both of them")
        if "*" in (user, password):
            raise ValueError("--auth takes a user and a password, not a wildcard")
        pairs.append((user, password))
    return tuple(pairs)


def warnings(config: ServerConfig) -> list[str]:
    """What the person who starts the server should know."""
    if (config.share or config.host not in LOOPBACK) and not config.auth:
        return ["anyone who can reach this address can use the studio: consider --auth user:pass"]
    return []


def launch(
    demo: gr.Blocks,
    config: ServerConfig,
    block: bool = True,
    on_ready: Callable[[str], None] | None = None,
) -> str:
    """Serve `demo`; returns its address (once it stops, when `block`).

    Args:
        demo: what `build_demo` made.
        config: address, sign-in and limits.
        block: wait until the server is stopped.
        on_ready: called with the address as soon as pages are served.

    Raises:
        OSError: the port is taken.
        ValueError: MCP tools behind a sign-in, which assistants cannot pass.
    """
    if config.mcp and config.auth:
        raise ValueError("--mcp cannot be had with --auth: assistants have no way to sign in")
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from apps.studio.layout.page import HEAD
    from apps.studio.layout.theme import CSS, GLOBAL_CSS, theme

    async def health(_: Any) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    demo.queue(max_size=config.queue_size, default_concurrency_limit=1)
    _, url, _ = demo.launch(
        server_name=config.host,
        server_port=config.port,
        auth=list(config.auth) or None,
        share=config.share,
        mcp_server=config.mcp,
        max_file_size=config.max_file_size,
        state_session_capacity=config.sessions,
        app_kwargs={"routes": [Route("/healthz", health)]},
        theme=theme(),
        css=CSS,
        head=f"<style>{GLOBAL_CSS}</style>{HEAD}",
        ssr_mode=False,
        quiet=True,
        show_error=False,
        footer_links=["api"],
        prevent_thread_lock=True,
    )
    if on_ready is not None:
        on_ready(demo.share_url or url)
    if block:
        signal.signal(signal.SIGTERM, partial(_end, demo))
        demo.block_thread()
    return url


def _end(demo: gr.Blocks, number: int, _: Any) -> None:
    """End at once, whatever is being computed, but leave nobody's files behind."""
    from gradio.route_utils import delete_files_created_by_app

    from apps.studio.session import forget_all

    forget_all()
    with suppress(Exception):
        delete_files_created_by_app(demo, age=None)
    os._exit(128 + number)
