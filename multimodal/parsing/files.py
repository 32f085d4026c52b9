"""A parser's file: weights as safetensors, its shape as JSON beside them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from multimodal.files.bundled import HOME, MANIFEST, find_bundle
from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import WeightsError, atomic, check_file, read_json
from multimodal.generators.native import config_path, write_safetensors
from multimodal.parsing.network import ParserConfig, ParserNetwork, folded
from multimodal.parsing.parser import FaceParser

PARSER_FILE = "parser.safetensors"


def save_parser(
    network: ParserNetwork, path: str | Path, dtype: torch.dtype = torch.float16
) -> Path:
    """Write weights and shape; returns the path."""
    path = Path(path)
    state = network.state_dict().items()
    kept = {k: v.to(dtype) if v.is_floating_point() else v for k, v in state}
    write_safetensors(path, kept)
    with atomic(config_path(path)) as part:
        part.write_text(json.dumps({"parser": asdict(network.config)}, indent=1) + "\n")
    return path


def find_parser(folder: Path | None) -> Path | None:
    """A model folder's parser: its own, or the one that comes with the default model."""
    for place in (folder, HOME / "default"):
        if place is not None and (place / PARSER_FILE).is_file():
            return place / PARSER_FILE
    return None


def model_parser(name: str | Path, device: torch.device | str = "cpu") -> FaceParser:
    """The parser of a named or stored model; one without has the default model's.

    Raises:
        ValueError: there is none.
        WeightsError: its file is not the one that its manifest describes.
    """
    folder = HOME / str(name) if (HOME / str(name)).is_dir() else Path(name)
    path = find_parser(folder)
    if path is None:
        raise ValueError(f"the model {str(name)!r} has no parser: no {PARSER_FILE} in its folder")
    if (path.parent / MANIFEST).is_file():
        find_bundle(path.parent.resolve()).path(PARSER_FILE)
    return load_parser(path, device)


def load_parser(source: str | Path, device: torch.device | str = "cpu") -> FaceParser:
    """A parser written by `save_parser`, frozen; a folder means its `parser.safetensors`.

    Raises:
        FileNotFoundError: no such file, or no JSON beside it.
        WeightsError: it holds something else.
    """
    path = Path(source)
    path = check_file(path / PARSER_FILE if path.is_dir() else path)
    beside = config_path(path)
    if not beside.is_file():
        raise FileNotFoundError(f"{path.name} needs its configuration {beside.name} beside it")
    try:
        tensors = read_tensors(path)
        with within(tensors, beside.name):
            network = ParserNetwork(ParserConfig.from_plain(read_json(beside)["parser"]))
        network.load_state_dict(tensors)
    except (OverflowError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a parser of faces: {error}") from error
    network.eval().requires_grad_(False)
    network = folded(network.float())
    return FaceParser(network.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
