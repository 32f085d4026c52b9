"""A generator training's folder: the shapes of its networks, and their averaged weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from guidance.common import load_tensors, save_tensors
from multimodal.files.variants import completed
from multimodal.files.weights import atomic
from multimodal.generators import load_stylegan2
from multimodal.generators.native import parse_config
from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import ENCODER_FILE, read_bundle_encoder
from multimodal.inversion.encoders.loading import GENERATOR

SHAPES = "shapes.json"
EDITS, EDITS_FILE = "edits of factors", "edits.safetensors"


def save_shapes(folder: Path, generator: StyleGAN2, encoder: BundleEncoder) -> Path:
    """Write the shapes of a run's networks beside its checkpoint."""
    values = {"generator": asdict(generator.config), "encoder": asdict(encoder.config)}
    with atomic(folder / SHAPES) as part:
        part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return folder / SHAPES


def load_run(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[StyleGAN2, BundleEncoder]:
    """The averaged generator and encoder of a training run, or a model's, frozen.

    Args:
        folder: the run's, or a packed model's.
        device: where they go.
        dtype: of the generator's features.

    Raises:
        FileNotFoundError: neither a run nor a model there.
    """
    if not (folder / SHAPES).is_file():
        folder = completed(folder)
        if not (folder / GENERATOR).is_file():
            raise FileNotFoundError(f"no generator run and no model in {folder}")
        drawing = load_stylegan2(folder, device, dtype)
        return drawing, read_bundle_encoder(folder).to(device).eval().requires_grad_(False)
    shapes = json.loads((folder / SHAPES).read_text(encoding="utf-8"))
    generator = StyleGAN2(parse_config(shapes["generator"], SHAPES), dtype)
    encoder = BundleEncoder(BundleEncoderConfig(**shapes["encoder"]))
    path = folder / "checkpoint.pt"
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    generator.load_state_dict(_part(state, "module.generator."))
    encoder.load_state_dict(_part(state, "module.encoder."))
    networks = (generator, encoder)
    for network in networks:
        network.to(device).eval().requires_grad_(False)
    return networks


def load_edits(folder: Path) -> Tensor:
    """The averaged matrix of edits `[D, A]` of `recipes.generator.train_generator`: factors to w.

    Raises:
        FileNotFoundError: no run there.
    """
    path = folder / "checkpoint.pt"
    if not path.is_file():
        raise FileNotFoundError(f"no generator run in {folder}")
    state = torch.load(path, map_location="cpu", weights_only=True)["average"]
    return _part(state, "module.edits.")["weight"]


def load_factor_code(folder: Path) -> tuple[Tensor, Tensor]:
    """Matrix `[D, A]` and bias `[A]` of the factors, of a training's folder or a model's.

    Raises:
        FileNotFoundError: no factors there.
    """
    path = completed(folder) / EDITS_FILE
    if not path.is_file():
        path = save_edits(folder, path)
    tensors, _ = load_tensors(path)
    return tensors["edits.weight"].float(), tensors["edits.bias"].float()


def save_edits(run: Path, target: Path) -> Path:
    """Write what only further training needs: where a run's codes hold the factors.

    Raises:
        FileNotFoundError: no run there.
    """
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["average"]
    kept = {f"edits.{name}": tensor for name, tensor in _part(state, "module.edits.").items()}
    return save_tensors(target, kept, {"kind": EDITS})


def load_shipped(folder: Path) -> dict[str, dict[str, Tensor]]:
    """State dicts by name of a model folder's parts, for a training that goes on from it.

    Raises:
        FileNotFoundError: no generator or no encoder there.
    """
    tensors: dict[str, Tensor] = {}
    folder = completed(folder)
    if (folder / EDITS_FILE).is_file():
        tensors, _ = load_tensors(folder / EDITS_FILE)
    return {
        "generator": load_stylegan2(folder, "cpu").state_dict(),
        "encoder": read_bundle_encoder(folder / ENCODER_FILE).state_dict(),
        "edits": _part(tensors, "edits."),
    }


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
