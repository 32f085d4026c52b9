"""Which guidance method an edit uses, with which settings; methods are made once a generator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guidance.registry import METHODS, make_guidance
from multimodal.types import Guidance, Toolkit

AUTO_FILE = "methods.json"
AUTO_ORDER = (
    ("factors", "factors.safetensors"),
    ("flow", "flow.safetensors"),
    ("delta", "delta.safetensors"),
    ("direction", "directions.safetensors"),
    ("text-encoder", "text_encoder.safetensors"),
)


def pick_method(tools: Toolkit) -> str:
    """What "auto" means for a model: the best measured one its `methods.json` names, else the first
    whose files are there, else optimisation."""
    folder = None if tools.folder is None else Path(tools.folder)
    if folder is None:
        return "optimize"
    if (folder / AUTO_FILE).is_file():
        name = str(_measured(folder)["auto"])
        if name not in METHODS:
            raise ValueError(f"{folder / AUTO_FILE} names {name!r}, not one of {sorted(METHODS)}")
        return name
    return next((name for name, file in AUTO_ORDER if (folder / file).is_file()), "optimize")


def model_options(tools: Toolkit, method: str) -> dict[str, Any]:
    """A method's settings that were measured best for this model (`options` in its
    `methods.json`); none where nothing was measured."""
    folder = None if tools.folder is None else Path(tools.folder)
    if folder is None or not (folder / AUTO_FILE).is_file():
        return {}
    return dict(_measured(folder).get("options", {}).get(method, {}))


def _measured(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / AUTO_FILE).read_text(encoding="utf-8"))
    return found


def guidance_of(editor: Any, tools: Toolkit, name: str) -> Guidance:
    """A method: the editor's own of that name, else one kept with the editor, whose networks and
    statistics are so read once; made anew for a face with weights of its own."""
    if tools.generator is not editor.toolkit.generator:
        return make_guidance(name, tools)
    given: Mapping[str, Guidance] = getattr(editor, "guidances", {})
    if name in given:
        return given[name]
    made: dict[str, tuple[Toolkit, Guidance]] = vars(editor).setdefault("_made", {})
    if name not in made or made[name][0] is not editor.toolkit:
        made[name] = (editor.toolkit, make_guidance(name, tools))
    return made[name][1]
