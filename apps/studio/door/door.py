"""Everything that comes to the studio's server passes here first (an ASGI middleware)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from apps.studio.door.counts import Window, counted_address
from apps.studio.door.hosts import is_known, is_own
from apps.studio.door.signed_in import SignedIn, session_of

Scope = MutableMapping[str, Any]
UPLOAD = "/gradio_api/upload"
TOOLS = "/gradio_api/mcp"
MAX_JSON, MAX_TOOL = 4 << 20, 80 << 20
"""Bytes of a request that is no upload; tools of assistants bring their files inside it."""
UNUSED = (
    "/monitoring", "/gradio_api/proxy=", "/gradio_api/file=http:", "/gradio_api/file=https:",
    "/gradio_api/process_recording", "/gradio_api/vibe", "/gradio_api/undo-vibe",
    "/gradio_api/dev/", "/gradio_api/run-history", "/gradio_api/runs",
    "/gradio_api/deep_link", "/gradio_api/profiling",
)  # fmt: skip
"""Routes of Gradio's that the studio has no use for."""


@dataclass(frozen=True)
class Rules:
    """What the door goes by.

    Args:
        names: the server is known by.
        shared: is there a public link?
        auth: must people sign in?
        token: what assistants bring instead, or None.
        sent: bytes of each address.
        failed: sign-ins of each address.
        clean: removes what unfinished uploads left; called when none is under way.
    """

    names: frozenset[str]
    sent: Window
    failed: Window
    shared: bool = False
    auth: bool = False
    token: str | None = None
    clean: Callable[[], None] = field(default=lambda: None)


class Refusal(Exception):
    """A request that is not let in; says why, to the person who sent it."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Door:
    """Checks a request's host, origin, size and sign-in, and lets it pass or says why not.

    Args:
        app: what lies behind.
        rules: what it goes by.
    """

    def __init__(self, app: Any, rules: Rules) -> None:
        self.app, self.rules = app, rules
        self.signed_in = SignedIn(rules.token)
        self.uploads = 0

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send, self.rules)
        try:
            self._check_address(visit)
            visit.check_announced()
            await self._check_sign_in(visit)
            await self._serve(visit)
        except ClientDisconnect:
            return  # they are gone: there is nobody to tell
        except Refusal as refusal:
            if not visit.answered:
                answer = PlainTextResponse(refusal.words, refusal.status)
                await answer(scope, receive, send)

    def _check_address(self, visit: _Visit) -> None:
        host, origin = visit.headers.get("host", ""), visit.headers.get("origin")
        if not is_known(host, self.rules.names, self.rules.shared):
            raise Refusal(
                421,
                f"This server does not know itself as {host[:100]!r}; whoever runs it may start it "
                "with --known-as NAME.",
            )
        if origin is not None and not is_own(origin, host, self.rules.names):
            raise Refusal(403, "Requests from pages of other sites are not answered.")
        if visit.headers.get("sec-fetch-site") == "cross-site" and visit.method != "GET":
            raise Refusal(403, "Requests from pages of other sites are not answered.")
        if visit.path.startswith(UNUSED):
            raise Refusal(404, "Not Found")

    async def _check_sign_in(self, visit: _Visit) -> None:
        rules, app = self.rules, visit.scope["app"]
        if not rules.auth:
            return
        if visit.path.rstrip("/") == "/login" and rules.failed.is_full(visit.address, 1):
            raise Refusal(
                429,
                "Too many sign-ins failed; try again in "
                f"{rules.failed.wait(visit.address)} minutes.",
            )
        if self.signed_in.is_open(visit.path):
            return
        user = self.signed_in.user(app, visit.headers)
        if user is None:
            raise Refusal(401, "Not signed in.")
        if self.signed_in.is_assistant(visit.headers):
            visit.let_in(self.signed_in.cookie(app))
        elif visit.path.startswith(TOOLS):
            raise Refusal(401, "Assistants bring the token as 'Authorization: Bearer TOKEN'.")
        small = visit.headers.get("content-type", "").startswith("application/json")
        body = await visit.read() if small and not visit.path.startswith(TOOLS) else b""
        for session in session_of(visit.path, visit.scope.get("query_string", b""), body):
            if not self.signed_in.owns(user, session):
                raise Refusal(403, "This session is somebody else's; load the page again.")

    async def _serve(self, visit: _Visit) -> None:
        upload = visit.path.startswith(UPLOAD) and visit.method == "POST"
        self.uploads += upload
        try:
            await self.app(visit.scope, visit.receive, visit.send)
        finally:
            self.uploads -= upload
            if upload and not self.uploads:
                self.rules.clean()
            if visit.path.rstrip("/") == "/login" and visit.status in (400, 401):
                self.rules.failed.add(visit.address)


class _Visit:
    """One request: what it says of itself, and what it sends, counted."""

    def __init__(self, scope: Scope, receive: Any, send: Any, rules: Rules) -> None:
        self.scope, self._receive, self._send, self._rules = scope, receive, send, rules
        self.headers = Headers(scope=dict(scope))
        self.method, self.path = scope["method"], scope["path"]
        self.address = counted_address((scope.get("client") or ("unknown", 0))[0])
        self.status = 0
        self._bytes, self._again = 0, deque[Any]()
        limits = {UPLOAD: rules.sent.limit, TOOLS: MAX_TOOL}
        self._limit = next((n for p, n in limits.items() if self.path.startswith(p)), MAX_JSON)

    @property
    def answered(self) -> bool:
        """Has an answer begun?"""
        return self.status != 0

    def check_announced(self) -> None:
        """Refuse a body that is too large by its own account."""
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and len(announced) < 20:
            self._check(int(announced))

    def let_in(self, cookie: bytes) -> None:
        """Add a cookie to the request."""
        kept = [(name, value) for name, value in self.scope["headers"] if name != b"cookie"]
        self.scope = {**self.scope, "headers": [*kept, (b"cookie", cookie)]}

    async def read(self) -> bytes:
        """The whole body, which `receive` gives out again."""
        kept: deque[Any] = deque()
        while not kept or kept[-1].get("more_body", False):
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            kept.append(message)
        self._again = kept
        return b"".join(message.get("body", b"") for message in kept)

    async def receive(self) -> Any:
        """The next part of the body."""
        if self._again:
            return self._again.popleft()
        message = await self._receive()
        size = len(message.get("body", b""))
        if size:
            self._bytes += size
            self._rules.sent.add(self.address, size)
            self._check(0)
        return message

    async def send(self, message: Any) -> None:
        """A part of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def _check(self, more: int) -> None:
        sent = self._rules.sent
        if self._bytes + more > self._limit:
            raise Refusal(413, f"A request here may have {self._limit >> 20} MB.")
        if sent.is_full(self.address, more):
            raise Refusal(
                429,
                f"Your address has sent {sent.used(self.address) >> 20} MB lately, and may send "
                f"{sent.limit >> 20} MB an hour; try again in {sent.wait(self.address)} minutes.",
            )
