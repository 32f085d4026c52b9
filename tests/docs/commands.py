"""Checks a command line without doing its work: the command, module or target exists, and so does
every option it is given."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import typer

from apps.cli import build_app
from tests.docs.snippets import ROOT

OUTSIDE = ("docker", "ray", "pip", "git", "export", "apt-get")
"""Programs that are not ours; only blocks that are not run may call them."""


class _ParsedError(Exception):
    """The command line was read to its end."""


def check(words: list[str]) -> None:
    """Raise unless the command line can be read."""
    program, rest = Path(words[0]).name, words[1:]
    if program == "semblance":
        check_cli(rest)
    elif program.startswith("python") and rest[:1] == ["-m"]:
        check_module(rest[1], rest[2:])
    elif program.startswith("python"):
        assert (ROOT / rest[0]).is_file(), f"no {rest[0]}"
    elif program == "torchrun":
        at = rest.index("-m")
        check_torchrun(rest[:at])
        check_module(rest[at + 1], rest[at + 2 :])
    elif program == "make":
        check_make(rest)
    elif program == "source":
        assert rest == [".venv/bin/activate"]
    else:
        assert program in OUTSIDE, f"no way to check {words}"


def check_cli(words: list[str]) -> None:
    """`semblance ...`: descend to the command and parse its options."""
    command: Any = typer.main.get_command(build_app())
    context = command.make_context("semblance", list(words))
    while hasattr(command, "resolve_command"):
        left = [*getattr(context, "_protected_args", []), *context.args]
        name, command, left = command.resolve_command(context, left)
        context = command.make_context(name, left, parent=context)


def check_module(name: str, words: list[str]) -> None:
    """`python -m NAME ...`: an argparse or typer program."""
    assert importlib.util.find_spec(name) is not None, f"no module {name}"
    package = name if (ROOT / name.replace(".", "/")).is_dir() is False else f"{name}.__main__"
    module = importlib.import_module(package)
    with _reading(name, words):
        if "typer" in inspect.getsource(module):
            app = typer.Typer()
            app.command()(module.main)
            command: Any = typer.main.get_command(app)
            command.make_context(name, list(words))
            raise _ParsedError
        module.main()


@contextlib.contextmanager
def _reading(name: str, words: list[str]) -> Iterator[None]:
    """Let a program parse its options and stop there."""
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self: Any, args: Any = None, namespace: Any = None) -> None:
        parse(self, words if args is None else args, namespace)
        raise _ParsedError

    with (
        mock.patch.object(argparse.ArgumentParser, "parse_args", parse_only),
        mock.patch.object(sys, "argv", [name, *words]),
        contextlib.suppress(_ParsedError),
    ):
        yield


def check_torchrun(words: list[str]) -> None:
    """torchrun's own options."""
    from torch.distributed.run import get_args_parser

    get_args_parser().parse_args([*words, "script.py"])


def check_make(targets: list[str]) -> None:
    """`make TARGET ...`; variables are let through."""
    known = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for target in targets:
        assert "=" in target or target in known, f"make has no target {target!r}"
