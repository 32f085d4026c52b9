"""The door in front of the studio: hosts, origins, amounts, sign-ins, whose session it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import ClientDisconnect

from apps.studio.door.counts import Window, counted_address
from apps.studio.door.door import UPLOAD, Door, Rules
from apps.studio.door.hosts import is_known, is_own, known_names

GRADIO = SimpleNamespace(cookie_id="1", tokens={"a": "ann", "b": "bob"})


def knocking(
    inner: Callable[..., Any] | None = None, client: str = "10.0.0.1", **rules: Any
) -> Callable[..., httpx.Response]:
    """Asks a door; what lies behind it answers with the body it got, unless another is given."""
    given = {"sent": Window(1000, 60), "failed": Window(2, 60)} | rules
    door = Door(inner or echo, Rules(known_names("127.0.0.1"), **given))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await door({**scope, "app": GRADIO}, receive, send)

    def ask(method: str, path: str, host: str = "localhost:7860", **more: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app, client=(client, 1))
            headers = {"host": host, **more.pop("headers", {})}
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as web:
                return await web.request(method, path, headers=headers, **more)

        return asyncio.run(go())

    return ask


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body, more = body + message.get("body", b""), message.get("more_body", False)
    status = 400 if scope["path"] == "/login" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:7860", True), ("127.0.0.1:7860", True), ("[::1]:7860", True),
        ("192.168.1.7", True), ("evil.example:7860", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("", False), ("x.gradio.live", False), ("[::", False),
    ],
)  # fmt: skip
def test_a_host_that_the_server_is_not(host: str, known: bool) -> None:
    assert is_known(host, known_names("127.0.0.1")) is known
    assert is_known("x.gradio.live", known_names("0.0.0.0"), shared=True)
    assert is_known("faces.example", known_names("0.0.0.0", ["Faces.example"]))
    if host and "[" not in host:
        assert (knocking()("GET", "/", host).status_code == 200) is known


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://localhost:7860", True), ("http://localhost:3000", False), ("null", False),
        ("https://evil.example", False), ("https://faces.example", True), ("file://", False),
        ("http://localhost", False), ("http://[", False),
    ],
)  # fmt: skip
def test_an_origin_that_is_another_site(origin: str, own: bool) -> None:
    if origin == "http://[":
        assert knocking()("GET", "/", headers={"origin": origin}).status_code == 403
        return
    assert is_own(origin, "localhost:7860", known_names("0.0.0.0", ["faces.example"])) is own
    if "faces" not in origin:
        answer = knocking()("POST", UPLOAD, headers={"origin": origin}, content=b"x")
        assert (answer.status_code == 200) is own
    cross = {"sec-fetch-site": "cross-site"}
    assert knocking()("POST", UPLOAD, headers=cross, content=b"x").status_code == 403


def test_an_address_has_a_quota_in_all() -> None:
    ask = knocking()
    assert ask("POST", UPLOAD, content=b"x" * 600).content == b"x" * 600
    refused = ask("POST", UPLOAD, content=b"x" * 600)
    assert refused.status_code == 429
    assert "Your address has sent" in refused.text
    assert "try again in" in refused.text

    async def chunks() -> Any:
        for _ in range(5):
            yield b"x" * 100

    assert ask("POST", UPLOAD, content=chunks()).status_code == 429
    assert ask("GET", "/").status_code == 200


def test_a_request_that_is_no_upload_is_small() -> None:
    ask = knocking(sent=Window(10**9, 60))
    answer = ask("POST", "/gradio_api/queue/join", content=b"x" * (5 << 20))
    assert answer.status_code == 413


def test_what_is_counted_is_forgotten() -> None:
    now = [0.0]
    window = Window(10, 60, clock=lambda: now[0])
    window.add("a", 8)
    assert window.is_full("a", 3)
    assert not window.is_full("b", 3)
    now[0] = 30
    window.add("a", 2)
    assert window.used("a") == 10
    now[0] = 61
    assert window.used("a") == 2
    for index in range(11_000):
        window.add(str(index))
    assert len(window._used) <= 10_000
    assert counted_address("2001:db8::1") == counted_address("2001:db8::2") == "2001:db8::/64"
    assert counted_address("10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=https://x", "/gradio_api/file=https://x", "/monitoring/summary",
     "/gradio_api/vibe-edit", "/gradio_api/process_recording", "/gradio_api/dev/reload"],
)  # fmt: skip
def test_routes_without_use_are_shut(path: str) -> None:
    assert knocking()("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("/", True), ("/login", True), ("/healthz", True), ("/assets/a.js", True),
        ("/config", False), ("/gradio_api/cancel", False), ("/gradio_api/heartbeat/x", False),
        ("/gradio_api/stream/x/1/2/playlist.m3u8", False), ("/gradio_api/reset", False),
        ("/gradio_api/upload", False), ("/gradio_api/mcp/", False), ("/gradio_api/info", False),
        ("/static/../gradio_api/info", False), ("/gradio_api/anything", False),
    ],
)  # fmt: skip
def test_a_sign_in_covers_every_route(path: str, opened: bool) -> None:
    answer = knocking(auth=True)("GET", path)
    assert (answer.status_code != 401) is opened
    known = {"cookie": "access-token-1=a"}
    ask = knocking(auth=True)
    assert ask("GET", path, headers=known).status_code in ((401,) if "mcp" in path else (200, 400))


def test_a_session_belongs_to_who_brought_it() -> None:
    ask = knocking(auth=True)
    ann, bob = ({"cookie": f"access-token-unsecure-1={name}"} for name in "ab")
    body = {"session_hash": "s", "data": []}
    path = "/gradio_api/queue/join"
    told = ask("POST", path, json=body, headers=ann)
    assert json.loads(told.content) == body  # read at the door, and again behind it
    assert ask("POST", path, json=body, headers=bob).status_code == 403
    for elsewhere in ("queue/data?session_hash=s", "heartbeat/s", "stream/s/1/2/x"):
        assert ask("GET", f"/gradio_api/{elsewhere}", headers=bob).status_code == 403
        assert ask("GET", f"/gradio_api/{elsewhere}", headers=ann).status_code == 200
    assert ask("POST", path, json=body | {"session_hash": "t"}, headers=bob).status_code == 200


def test_sign_ins_that_fail_are_limited() -> None:
    ask = knocking(auth=True)
    assert [ask("POST", "/login").status_code for _ in range(3)] == [400, 400, 429]
    assert "Too many sign-ins failed" in ask("POST", "/login/").text
    assert ask("GET", "/").status_code == 200


def test_assistants_bring_the_token() -> None:
    ask = knocking(auth=True, token="secret")
    right = {"authorization": "Bearer secret"}
    assert ask("POST", "/gradio_api/mcp/", headers=right, content=b"{}").status_code == 200
    assert "assistant" in GRADIO.tokens.values()
    for wrong in ({}, {"authorization": "Bearer other"}, {"authorization": "Basic secret"}):
        assert ask("POST", "/gradio_api/mcp/", headers=wrong).status_code == 401


def test_who_goes_away_leaves_nothing_and_no_traceback() -> None:
    cleaned: list[int] = []

    async def gone(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    door = Door(gone, Rules(known_names("::1"), Window(9, 9), Window(9, 9),
                            clean=lambda: cleaned.append(1)))  # fmt: skip
    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": headers, "app": GRADIO}
    asyncio.run(door(scope, None, None))
    assert cleaned == [1]


def test_a_crowd_of_uploads() -> None:
    """Sixty at once, every third broken off: each whole one arrives as it was sent, none is counted
    for another address, and what was left is removed once the last has ended."""
    cleaned: list[int] = []
    sent = Window(20_000, 60)
    door = Door(
        echo, Rules(known_names("::1"), sent, Window(9, 9), clean=lambda: cleaned.append(1))
    )

    async def upload(number: int) -> bytes | None:
        body = bytes([number]) * 900
        parts = [
            {"type": "http.request", "body": body[i : i + 300], "more_body": i < 600}
            for i in range(0, 900, 300)
        ]
        if number % 3 == 0:
            parts[1:] = [{"type": "http.disconnect"}]
        answers: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(0.001 * (number % 5))
            return parts.pop(0)

        async def send(message: Any) -> None:
            answers.append(message)

        scope = {
            "type": "http", "method": "POST", "path": UPLOAD, "app": GRADIO, "query_string": b"",
            "headers": [(b"host", b"localhost")], "client": (f"10.0.0.{number % 4}", number),
        }  # fmt: skip
        await door(scope, receive, send)
        statuses = [m["status"] for m in answers if m["type"] == "http.response.start"]
        whole = b"".join(m.get("body", b"") for m in answers)
        assert statuses == ([] if number % 3 == 0 else [200])
        return whole if statuses else None

    async def crowd() -> list[bytes | None]:
        return list(await asyncio.gather(*(upload(number) for number in range(60))))

    answers = asyncio.run(crowd())
    whole = {number for number, answer in enumerate(answers) if answer is not None}
    assert whole == {number for number in range(60) if number % 3}
    assert all(answers[number] == bytes([number]) * 900 for number in whole)
    assert door.uploads == 0
    assert cleaned
    assert sum(sent.used(f"10.0.0.{k}") for k in range(4)) == 40 * 900 + 20 * 300
    assert sent.used("10.0.0.0") == 10 * 900 + 5 * 300
