"""The names that an edit may use: methods, regions, layers, attributes to leave alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from guidance.controls.control import ATTRIBUTES_NAME, IDENTITY, Attributes
from guidance.controls.layers import Layers, layer_mask
from guidance.controls.regions import REGIONS
from guidance.registry import METHODS
from multimodal.editing.choosing import guidance_of, pick_method
from multimodal.types import Offset, Reading, Toolkit


def check_edit(
    editor: Any,
    method: str = "auto",
    region: str | None = None,
    keep: Sequence[str] = (),
    layers: Layers = None,
    text: str | None = None,
) -> None:
    """Refuse names and words that no edit by this model could use, before anything is computed.

    Raises:
        ValueError: an unknown method, region, attribute or layer; words that mean nothing here.
    """
    tools = editor.toolkit
    if method != "auto" and method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {sorted(METHODS)}")
    if region is not None and region not in REGIONS:
        raise ValueError(f"region {region!r} is not one of {', '.join(REGIONS)}")
    layer_mask(layers, tools.generator.num_layers)
    kept_directions(editor, tools, keep)
    if text is not None:
        check_text(editor, text, method)


def check_text(editor: Any, text: str, method: str = "auto") -> None:
    """Refuse words that mean nothing to the method that would read them.

    Raises:
        ValueError: says what is not understood, and what is near it.
    """
    tools = editor.toolkit
    guidance = guidance_of(editor, tools, pick_method(tools) if method == "auto" else method)
    if isinstance(guidance, Reading):
        guidance.check(text, photo=True)


def kept_directions(editor: Any, tools: Toolkit, keep: Sequence[str]) -> list[Tensor]:
    """Directions `[L, D]` of the attributes to leave alone."""
    names = [name for name in keep if name != IDENTITY]
    if not names:
        return []
    known = known_directions(editor, tools)
    if not known:
        raise ValueError(f"this model has no attribute directions, so it cannot keep {names}")
    found: list[Tensor] = []
    for name in names:
        family = [k for k in known if k == name or k.startswith(f"{name}_")]
        if not family:
            raise ValueError(f"cannot keep {name!r}: not one of {[IDENTITY, *sorted(known)]}")
        found.extend(known[k] for k in family)
    return found


def known_directions(editor: Any, tools: Toolkit) -> dict[str, Tensor]:
    """All directions of W+ `[L, D]` by name: the editor's, and those of the model's folder."""
    given: Mapping[str, Offset] = getattr(editor, "directions", {})
    known = {name: offset.w[0] for name, offset in given.items() if offset.w is not None}
    if tools.folder is not None and (Path(tools.folder) / ATTRIBUTES_NAME).is_file():
        known |= Attributes.load(tools.folder).directions
    return known
