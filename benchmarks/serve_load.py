"""Many people at once: does everybody get their own face, and does memory stay flat?

    python -m benchmarks.serve_load --clients 16 --seconds 180 --model default

Starts the studio in a process of its own. Each client has a face of its own and asks, over and
over, for edits of it; every answer must be nearer to what the client got when it was alone than to
what any other client got.
Some requests are cancelled. "Busy, try again" is counted apart; anything else that fails is an
error.
"""

from __future__ import annotations

import argparse
import colorsys
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from apps.samples import faces
from benchmarks.table import Figure

PROMPTS = ("an old woman", "a big smile", "a beard")
BUSY = ("queue is full", "busy")
CANCEL_EVERY = 7


@dataclass
class Tally:
    """What happened to the requests of all clients."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome: str, seconds: float | None = None, error: str = "") -> None:
        """Count one request."""
        with self.lock:
            self.counts[outcome] += 1
            if seconds is not None:
                self.seconds.append(seconds)
            if error:
                self.errors.append(error)


class Visitor:
    """One client with a face of its own.

    Args:
        url: the studio's address.
        number: tells faces apart.
        folder: where its picture is written.
    """

    def __init__(self, url: str, number: int, folder: Path) -> None:
        from gradio_client import Client

        self.client = Client(url, verbose=False, httpx_kwargs={"timeout": 60})
        self.number = number
        self.photo = draw_face(number, folder / f"face{number}.png")
        self.expected: dict[str, bytes] = {}

    def ask(self, prompt: str) -> bytes:
        """The pixels of an edit of this client's face."""
        from gradio_client import handle_file

        answer = self.client.predict(handle_file(self.photo), prompt, api_name="/edit_with_text")
        with Image.open(answer[-1]) as image:
            return image.convert("RGB").tobytes()

    def learn(self) -> None:
        """What this client's answers are when nobody disturbs."""
        self.expected = {prompt: self.ask(prompt) for prompt in PROMPTS}

    def insist(self, until: float, others: list[Visitor], tally: Tally) -> None:
        """Ask until the time is over; every answer must be nearest to what this client expects."""
        turn = self.number
        while time.monotonic() < until:
            turn += 1
            prompt = PROMPTS[turn % len(PROMPTS)]
            if turn % CANCEL_EVERY == 0:
                self._change_mind(prompt, tally)
            else:
                self._check(prompt, others, tally)

    def _check(self, prompt: str, others: list[Visitor], tally: Tally) -> None:
        started = time.monotonic()
        try:
            answer = self.ask(prompt)
        except CancelledError:  # the cancellation of the request before, arriving late
            tally.add("cancelled")
            return
        except Exception as error:
            if any(word in str(error).lower() for word in BUSY):
                tally.add("busy")
                time.sleep(0.5)
            else:
                tally.add("error", error=f"{type(error).__name__}: {error}"[:300])
            return
        nearest = min(others, key=lambda other: distance(answer, other.expected[prompt]))
        tally.add("ok" if nearest is self else "mixed up", time.monotonic() - started)

    def _change_mind(self, prompt: str, tally: Tally) -> None:
        from gradio_client import handle_file

        job = self.client.submit(handle_file(self.photo), prompt, api_name="/edit_with_text")
        time.sleep(0.05)
        job.cancel()
        tally.add("cancelled")


def draw_face(number: int, path: Path) -> Path:
    """A portrait unlike any other number's: a sample under light of another colour."""
    samples = faces()
    tone = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(number * 0.131 % 1, 0.7, 0.9))
    with Image.open(samples[number % len(samples)]) as sample:
        portrait = sample.convert("RGB")
    Image.blend(portrait, Image.new("RGB", portrait.size, tone), 0.15).save(path)
    return path


def distance(first: bytes, second: bytes) -> float:
    """Mean difference of two pictures' bytes (optimised inversions vary in the last bit)."""
    pixels = (np.frombuffer(side, np.uint8).astype(np.int16) for side in (first, second))
    one, other = pixels
    return float(np.abs(one - other).mean()) if one.shape == other.shape else float("inf")


def run_load(url: str, clients: int, seconds: float, folder: Path) -> tuple[Tally, list[Visitor]]:
    """Let clients insist on their edits at once; their pictures are written to `folder`."""
    tally = Tally()
    visitors = [Visitor(url, number, folder) for number in range(clients)]
    for visitor in visitors:
        visitor.learn()
    until = time.monotonic() + seconds
    threads = [
        threading.Thread(target=visitor.insist, args=(until, visitors, tally))
        for visitor in visitors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally, visitors


@contextmanager
def served(model: str, queue: int) -> Iterator[tuple[str, int, float]]:
    """A studio in a process of its own: its address, process and seconds until it answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["web", "--port", str(port), "--model", model, "--queue", str(queue)]
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "apps.cli", *words])
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield url, process.pid, time.monotonic() - started
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen[bytes], patience: float = 180.0) -> None:
    """Wait until the studio says it is healthy."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5)
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None:
                raise RuntimeError(f"the studio ended with {process.returncode}") from None
            time.sleep(0.25)
    raise RuntimeError("the studio did not answer")


class Memory(threading.Thread):
    """Samples the resident memory of a process, in MiB, every half second."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{process}/status")
        self.samples: list[float] = []
        self.over = threading.Event()

    def run(self) -> None:
        """Sample until `over` is set or the process ends."""
        while not self.over.wait(0.5) and self.status.exists():
            found = re.search(r"VmRSS:\s+(\d+)", self.status.read_text())
            if found:
                self.samples.append(int(found[1]) / 1024)

    def growth(self) -> float:
        """The mean of the last third over that of the middle third, minus one."""
        third = len(self.samples) // 3
        if not third:
            return 0.0
        middle, last = self.samples[third : 2 * third], self.samples[2 * third :]
        return (sum(last) / len(last)) / (sum(middle) / len(middle)) - 1


def main(arguments: list[str] | None = None) -> int:
    """Run the load and print one JSON object; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--model", default="default")
    parser.add_argument("--queue", type=int, default=12)
    asked = parser.parse_args(arguments)
    tally, memory, ready = measure(asked.model, asked.clients, asked.seconds, asked.queue)
    report = outcome(tally, memory, ready)
    print(json.dumps(report, indent=2))
    clean = not (tally.counts["error"] or tally.counts["mixed up"])
    return 0 if clean and report["memory growth"] <= 0.05 else 1


def measure(
    model: str, clients: int, seconds: float, queue: int = 12
) -> tuple[Tally, Memory, float]:
    """Let clients edit at a studio of its own: what happened, its memory, seconds until ready."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(model, queue) as (url, process, ready),
    ):
        memory = Memory(process)
        memory.start()
        tally, visitors = run_load(url, clients, seconds, Path(folder))
        memory.over.set()
        visitors[0].learn()  # every slot is free again
    return tally, memory, ready


def figures(model: str, clients: int = 16, seconds: float = 60.0) -> Iterator[Figure]:
    """One line: seconds from answer to answer for many clients, beside those for a lone one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        served(model, queue=12) as (url, process, _),
    ):
        alone, _ = run_load(url, 1, seconds / 4, Path(folder))
        memory = Memory(process)
        memory.start()
        crowd, _ = run_load(url, clients, seconds, Path(folder))
        memory.over.set()
    wrong = crowd.counts["error"] + crowd.counts["mixed up"]
    yield Figure(
        f"an answer of the studio, {clients} clients",
        seconds / max(crowd.counts["ok"], 1),
        "one client",
        seconds / 4 / max(alone.counts["ok"], 1),
        max(memory.samples, default=0.0),
        f"{wrong} wrong, {crowd.counts['busy']} busy, memory grew {memory.growth():.1%}",
    )


def outcome(tally: Tally, memory: Memory, ready: float) -> dict[str, Any]:
    """Figures for the report."""
    times = sorted(tally.seconds) or [0.0]
    return {
        "seconds until ready": round(ready, 1),
        "requests": dict(tally.counts),
        "errors": tally.errors[:5],
        "median seconds": round(times[len(times) // 2], 3),
        "95th percentile seconds": round(times[int(len(times) * 0.95)], 3),
        "memory MiB": round(max(memory.samples, default=0.0)),
        "memory growth": round(memory.growth(), 4),
    }


if __name__ == "__main__":
    sys.exit(main())
