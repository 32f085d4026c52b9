"""What an endpoint takes, said once: its parameters are read by people, Gradio and assistants."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import gradio as gr

from apps.studio.checks import photo_input, sentence, sound_input

Kind = Literal["picture", "sound", "text", "number", "count"]
REQUIRED = inspect.Parameter.empty
LARGEST = 2**63
TYPES: dict[Kind, type] = {"text": str, "number": float, "count": int, "picture": str, "sound": str}


@dataclass(frozen=True)
class Given:
    """One parameter of an endpoint.

    Args:
        name: under which it is sent.
        about: what it means, in a few words.
        kind: what is sent.
        default: what holds where nothing is sent; nothing for one that has to be.
    """

    name: str
    about: str
    kind: Kind = "text"
    default: Any = REQUIRED

    def component(self) -> Any:
        """The component that receives it."""
        if self.kind == "picture":
            return photo_input(label=self.name)
        if self.kind == "sound":
            return sound_input(label=self.name)
        value = None if self.default is REQUIRED else self.default
        if self.kind == "text":
            return gr.Textbox(value, label=self.name)
        return gr.Number(value, label=self.name, precision=0 if self.kind == "count" else None)

    def parameter(self) -> inspect.Parameter:
        """What a function's signature says of it."""
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        own = TYPES[self.kind]
        return inspect.Parameter(self.name, kind, default=self.default, annotation=own)

    def chosen(self, value: Any) -> Any:
        """The value sent, or the default where it is empty and there is one."""
        return self.default if value in (None, "") and self.default is not REQUIRED else value


@dataclass(frozen=True)
class Endpoint:
    """A named endpoint.

    Args:
        name: in its address, and of the tool.
        about: what it does and returns, one sentence.
        takes: its parameters in order; those without a default come first.
        work: called with what was sent, by name.
    """

    name: str
    about: str
    takes: tuple[Given, ...]
    work: Callable[[Mapping[str, Any]], Any]

    def function(self) -> Callable[..., Any]:
        """The same as a function, whose signature and docstring Gradio shows."""

        def call(*sent: Any) -> Any:
            pairs = zip(self.takes, sent, strict=True)
            return self.work({given.name: given.chosen(value) for given, value in pairs})

        lines = [f"    {given.name}: {given.about}." for given in self.takes]
        call.__name__ = self.name
        call.__doc__ = "\n".join([self.about, "", "Args:", *lines])
        own = inspect.Signature([given.parameter() for given in self.takes])
        call.__signature__ = own  # type: ignore[attr-defined]
        return call

    def complete(self, sent: list[Any]) -> None:
        """Add the defaults of what was not sent.

        Raises:
            gr.Error: something that has no default is missing, or a number is none.
        """
        for given in self.takes[len(sent) :]:
            if given.default is REQUIRED:
                first = [g.name for g in self.takes if g.default is REQUIRED]
                raise refused(f"{self.name} needs {' and '.join(first)}; {given.name} is missing.")
            sent.append(given.default)
        for given, value in zip(self.takes, sent, strict=False):
            if given.kind in ("number", "count") and not _is_number(value):
                raise refused(f"{given.name} {value!r:.40} is not a number of 64 bits.")


def check_arguments(demo: gr.Blocks, endpoints: Sequence[Endpoint]) -> None:
    """Refuse events that bring too few values in one line; Gradio prints its own code's path."""
    named = {endpoint.name: endpoint for endpoint in endpoints}

    def validate(block_fn: Any, inputs: list[Any]) -> None:
        endpoint = named.get(str(block_fn.api_name))
        if endpoint is not None:
            endpoint.complete(inputs)
        elif len(inputs) < len(block_fn.inputs):
            raise refused(f"{len(inputs)} values were sent, {len(block_fn.inputs)} are needed.")

    demo.validate_inputs = validate  # type: ignore[method-assign]


def refused(words: str) -> gr.Error:
    """An error that is shown, and not printed as a fault of the server."""
    return gr.Error(sentence(ValueError(words)), print_exception=False)


def _is_number(value: Any) -> bool:
    if value in (None, ""):
        return True
    try:
        found = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return False
    return abs(found) < LARGEST
