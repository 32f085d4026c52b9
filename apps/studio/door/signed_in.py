"""Who is signed in, and whose session is whose.

Gradio tells sessions apart by a `session_hash` that the page makes up. Behind a sign-in it belongs
to the first person who brings it; nobody else may use it.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

OPEN = frozenset({
    "/", "/login", "/logout", "/healthz", "/theme.css", "/favicon.ico", "/manifest.json",
    "/robots.txt", "/pwa_icon", "/gradio_api/theme.css", "/gradio_api/login_check",
    "/gradio_api/user", "/gradio_api/app_id", "/gradio_api/token", "/gradio_api/startup-events",
})  # fmt: skip
"""What everybody may ask for: the sign-in page and what it is made of."""
OPEN_BELOW = ("/static/", "/assets/", "/svelte/", "/pwa_icon/")
ASSISTANT = "assistant"
"""Who comes with the token."""
MAX_SESSIONS = 10_000


class SignedIn:
    """Holds sign-ins against requests.

    Args:
        token: what assistants bring as `Authorization: Bearer`, or None where there are none.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._inner = secrets.token_urlsafe(24)
        self._sessions: OrderedDict[str, str] = OrderedDict()

    def is_open(self, path: str) -> bool:
        """May anybody ask for this?"""
        return (path.rstrip("/") or "/") in OPEN or path.startswith(OPEN_BELOW)

    def user(self, app: Any, headers: Mapping[str, str]) -> str | None:
        """The person or assistant behind a request, or None."""
        if self.is_assistant(headers):
            return ASSISTANT
        cookies = dict(
            part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";")
        )
        name = app.cookie_id
        token = cookies.get(f"access-token-{name}") or cookies.get(f"access-token-unsecure-{name}")
        return app.tokens.get(token)

    def is_assistant(self, headers: Mapping[str, str]) -> bool:
        """Does the request bring the token?"""
        kind, _, token = headers.get("authorization", "").partition(" ")
        known = self._token is not None and kind.lower() == "bearer"
        return known and secrets.compare_digest(token.encode(), str(self._token).encode())

    def cookie(self, app: Any) -> bytes:
        """What makes Gradio itself let an assistant in."""
        app.tokens[self._inner] = ASSISTANT
        return f"access-token-unsecure-{app.cookie_id}={self._inner}".encode()

    def owns(self, user: str, session: str | None) -> bool:
        """Is a session this user's? One that nobody brought yet becomes it."""
        if not session:
            return True
        owner = self._sessions.setdefault(session, user)
        self._sessions.move_to_end(session)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return owner == user


def session_of(path: str, query: bytes, body: bytes) -> list[str]:
    """All session hashes that a request names."""
    found = parse_qs(query.decode("latin1")).get("session_hash", [])
    parts = path.split("/")
    for kind in ("heartbeat", "stream"):
        if kind in parts[:-1]:
            found.append(parts[parts.index(kind) + 1])
    try:
        values = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return found
    named = values.get("session_hash") if isinstance(values, dict) else None
    return [*found, str(named)] if named else found
