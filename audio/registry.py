"""Every sound encoder that can be loaded, and the one door to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from audio.encoder import load_encoder
from audio.hearing.ears import WEIGHTS, load_ears
from audio.soundclip import load_soundclip
from audio.wav2clip import load_wav2clip
from multimodal.files.torch_files import load_torch
from multimodal.files.untrusted.tensors import read_tensors

MAX_BYTES = 2 * 2**30


@dataclass(frozen=True)
class SoundFamily:
    """One kind of public checkpoint.

    Args:
        space: the space its vectors lie in.
        mark: a key that only this family's files have.
        load: builds the network from the file's tensors.
    """

    space: str
    mark: str
    load: Callable[[Mapping[str, Tensor]], nn.Module]


SOUND_ENCODERS: dict[str, SoundFamily] = {
    "wav2clip": SoundFamily("CLIP ViT-B/32", "audio_transform.sequential.0.weight", load_wav2clip),
    "soundclip": SoundFamily("CLIP ViT-B/32", "feature_extractor.fc.weight", load_soundclip),
}
"""Checkpoint files by family; a folder holds the bundled encoder (MiniLM sentence space)."""


def load_sound_encoder(source: Path | str, device: torch.device | str = "cpu") -> nn.Module:
    """A network with `.hear(samples [B, T] at 16 kHz) -> unit [B, D]`.

    Args:
        source: folder of the bundled encoder, or a public checkpoint (.pt, .pth, .safetensors).
        device: where to compute.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: too large, not a checkpoint of plain tensors, or of no known family.
    """
    source = Path(source)
    if source.is_dir():
        ears = (source / WEIGHTS).is_file()
        return load_ears(source, device) if ears else load_encoder(source, device)
    if not source.is_file():
        raise FileNotFoundError(f"no sound encoder at {source}")
    tensors = _tensors(source)
    bare = {key.removeprefix("module.") for key in tensors}
    for family in SOUND_ENCODERS.values():
        if family.mark in bare:
            return family.load(tensors).to(device)
    known = ", ".join(SOUND_ENCODERS)
    raise ValueError(f"{source.name} is of no known family ({known}, or a bundled folder)")


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, whatever it wraps them in; nothing in it is executed."""
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_BYTES} bytes")
    try:
        if path.suffix == ".safetensors":
            return read_tensors(path)
        state = load_torch(path)
    except ValueError as error:
        raise ValueError(f"{path.name} is not a checkpoint of plain tensors: {error}") from error
    for name in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict):
        raise ValueError(f"{path.name} holds no named tensors")
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}
