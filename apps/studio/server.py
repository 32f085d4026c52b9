"""Serving the studio: address, sign-in, limits, health."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gradio as gr

    from apps.studio.door.door import Rules

from apps.studio.door.hosts import LOOPBACK, known_names

FAILED_SIGN_INS, FAILED_SECONDS = 10, 900
TOKEN_VARIABLE = "SEMBLANCE_MCP_TOKEN"


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
        known_as: names that people reach it by, besides addresses, localhost and `host`.
        hourly_bytes: what one address may send in an hour, in bytes.
        root_path: where a proxy shows the studio, "/faces"; "" for a server of its own.
        token: what assistants bring where `auth` is set; made up unless given.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    auth: tuple[tuple[str, str], ...] = ()
    share: bool = False
    mcp: bool = False
    queue_size: int = 24
    max_file_size: int = 64 * 2**20
    sessions: int = 256
    known_as: tuple[str, ...] = ()
    hourly_bytes: int = 2**30
    root_path: str = ""
    token: str = field(default_factory=lambda: token_of(os.environ), repr=False)


def token_of(environment: Mapping[str, str]) -> str:
    """The token that assistants bring: the one of the environment, or a new one."""
    return environment.get(TOKEN_VARIABLE) or secrets.token_urlsafe(24)


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
    """
    from starlette.middleware import Middleware
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from apps.studio.door.door import Door
    from apps.studio.door.home import HOME
    from apps.studio.layout.page import HEAD
    from apps.studio.layout.theme import CSS, GLOBAL_CSS, theme

    async def health(_: Any) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    if block:  # before anybody can reach it
        signal.signal(signal.SIGTERM, partial(_end, demo))
    demo.queue(max_size=config.queue_size, default_concurrency_limit=1)
    _, url, _ = demo.launch(
        server_name=config.host,
        server_port=config.port,
        root_path=config.root_path or None,
        auth=list(config.auth) or None,
        share=config.share,
        mcp_server=config.mcp,
        max_file_size=config.max_file_size,
        state_session_capacity=config.sessions,
        app_kwargs={
            "routes": [Route("/healthz", health)],
            "middleware": [Middleware(Door, rules=rules_of(config))],
        },
        theme=theme(),
        css=CSS,
        head=f"<style>{GLOBAL_CSS}</style>{HEAD}",
        ssr_mode=False,
        quiet=True,
        show_error=False,
        footer_links=["api"],
        prevent_thread_lock=True,
    )
    HOME.keep()
    HOME.keep_swept()
    if config.mcp and config.auth:
        _open_tools(demo, config.token)
    if on_ready is not None:
        on_ready(demo.share_url or url)
    if block:
        demo.block_thread()
    return url


def rules_of(config: ServerConfig) -> Rules:
    """What the door goes by."""
    from apps.studio.door.counts import Window
    from apps.studio.door.door import Rules
    from apps.studio.door.home import HOME

    return Rules(
        names=known_names(config.host, config.known_as),
        sent=Window(config.hourly_bytes, 3600),
        failed=Window(FAILED_SIGN_INS, FAILED_SECONDS),
        shared=config.share,
        auth=bool(config.auth),
        token=config.token if config.mcp else None,
        clean=HOME.remove_partial,
    )


def _open_tools(demo: gr.Blocks, token: str) -> None:
    """Gradio's tools call its own endpoints, through the door like everybody: with the token."""
    from gradio_client import Client

    tools = demo.mcp_server_obj
    if tools is None:
        return
    tools._client_instance = Client(
        demo.local_url,
        download_files=False,
        ssl_verify=False,
        _skip_components=False,
        verbose=False,
        analytics_enabled=False,
        headers={"x-gradio-user": "mcp", "authorization": f"Bearer {token}"},
    )


def _end(demo: gr.Blocks, number: int, _: Any) -> None:
    """End at once, whatever is being computed, but leave nobody's files behind."""
    from gradio.route_utils import delete_files_created_by_app

    from apps.studio.session import forget_all

    forget_all()
    with suppress(Exception):
        delete_files_created_by_app(demo, age=None)
    os._exit(128 + number)
