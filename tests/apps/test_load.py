"""Several people at once: a short run of `benchmarks.serve_load`."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from apps.studio.server import ServerConfig, launch, parse_auth, warnings
from apps.web import build_demo
from benchmarks.serve_load import run_load
from multimodal import FaceEditor


def test_everybody_gets_their_own_face(studio_url: str, tmp_path: Path) -> None:
    tally, visitors = run_load(studio_url, clients=4, seconds=4, folder=tmp_path)
    assert tally.errors == []
    assert tally.counts["mixed up"] == 0
    assert tally.counts["ok"] >= 4
    answers = {pixels for visitor in visitors for pixels in visitor.expected.values()}
    assert len(answers) == sum(len(visitor.expected) for visitor in visitors)
    visitors[0].learn()


def test_a_full_queue_says_busy(editor: FaceEditor, tmp_path: Path) -> None:
    demo = build_demo(editor)
    try:
        url = launch(demo, ServerConfig(port=None, queue_size=1), block=False)
        tally, _ = run_load(url, clients=4, seconds=2, folder=tmp_path)
    finally:
        demo.close(verbose=False)
    assert tally.errors == []
    assert tally.counts["busy"] > 0
    assert tally.counts["mixed up"] == 0


def test_sign_in(editor: FaceEditor) -> None:
    from gradio_client import Client

    demo = build_demo(editor)
    try:
        url = launch(demo, ServerConfig(port=None, auth=parse_auth(["me:secret"])), block=False)
        with pytest.raises(Exception, match=r"(?i)auth|login|credential|401"):
            Client(url, verbose=False)
        Client(url, auth=("me", "secret"), verbose=False)
    finally:
        demo.close(verbose=False)


@pytest.mark.parametrize("given", ["me", ":secret", "me:", "*:*", "me:*"])
def test_sign_in_needs_both_words(given: str) -> None:
    with pytest.raises(ValueError, match="--auth"):
        parse_auth([given])


def test_an_open_door_is_pointed_out() -> None:
    assert warnings(ServerConfig()) == []
    assert warnings(ServerConfig(host="0.0.0.0"))
    assert warnings(ServerConfig(share=True))
    assert not warnings(ServerConfig(share=True, auth=(("me", "secret"),)))


def test_assistants_find_and_use_the_tools(editor: FaceEditor, photo: Path, laugh: Path) -> None:
    demo = build_demo(editor)
    try:
        url = launch(demo, ServerConfig(port=None, mcp=True), block=False).rstrip("/")
        tools, answers = asyncio.run(_use(f"{url}/gradio_api/mcp/", _data(photo), _data(laugh)))
    finally:
        demo.close(verbose=False)
    wanted = {"invert", "edit_with_text", "edit_with_sound", "edit_with_both"}
    assert set(tools) == wanted | {"animate", "generate"}
    assert all(tools.values())
    for name, answer in answers.items():
        assert not answer.isError, (name, answer.content)
        assert answer.content


def _data(path: Path) -> str:
    kind = "image/png" if path.suffix == ".png" else "audio/ogg"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


async def _use(url: str, picture: str, sound: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Names and descriptions of the tools, and what calls of them answer."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    calls = {
        "edit_with_text": {"picture": picture, "text": "old", "keep": "identity"},
        "edit_with_sound": {"picture": picture, "sound": sound},
        "edit_with_both": {"picture": picture, "text": "old", "sound": sound},
        "invert": {"picture": picture},
        "generate": {},
    }
    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        found = {tool.name: tool.description for tool in (await session.list_tools()).tools}
        answers = {name: await session.call_tool(name, given) for name, given in calls.items()}
    return found, answers


def test_assistants_behind_a_sign_in_bring_the_token(editor: FaceEditor) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    config = ServerConfig(port=None, mcp=True, auth=(("me", "secret"),), token="word")
    demo = build_demo(editor)

    async def draw(headers: dict[str, str]) -> Any:
        async with (
            streamablehttp_client(f"{url}/gradio_api/mcp/", headers=headers) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await session.call_tool("generate", {})

    try:
        url = launch(demo, config, block=False).rstrip("/")
        answer = asyncio.run(draw({"Authorization": "Bearer word"}))
        assert not answer.isError, answer.content
        assert answer.content
        with pytest.raises(BaseException):  # noqa: B017  (a group of them)
            asyncio.run(draw({}))
    finally:
        demo.close(verbose=False)
