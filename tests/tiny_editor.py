"""A tiny editor that sees, reads and hears."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from guidance.common import conv_indices, style_sizes
from multimodal import FaceEditor
from multimodal.types import Generator, Offset


def tiny_editor(folder: Path) -> FaceEditor:
    """The registry's tiny model with seeded ears, two directions, a quick edit network, an eye for
    colours in place of an identity network, and no face detector."""
    from audio.alignment import SoundEmbedder
    from audio.encoder import SoundConfig, SoundEncoder
    from guidance.methods.delta import DeltaConfig, DeltaNetwork, save_delta

    editor = FaceEditor.from_pretrained("tiny", device="cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = SoundConfig(
            stem=4,
            widths=(8, 8, 8),
            blocks=(1, 1, 1),
            hidden=16,
            heads=2,
            dim=editor.toolkit.clip.dim,
        )
        ears = SoundEncoder(config).eval().requires_grad_(False)
        shape = (1, editor.generator.num_layers, editor.generator.style_dim)
        directions = {name: Offset(torch.randn(shape) * 0.3) for name in ("age", "smile")}
        encoder = TinyEncoder(editor.generator)
        network = DeltaNetwork(DeltaConfig(editor.toolkit.clip.dim, conv_sizes(editor), hidden=16))
    save_delta(network, folder / "delta.safetensors", {})
    toolkit = replace(
        editor.toolkit, sound=SoundEmbedder(ears), identity=colours, lpips=None, folder=folder
    )
    return FaceEditor(toolkit=toolkit, encoder=encoder, directions=directions, name="tiny")


def colours(images: torch.Tensor) -> torch.Tensor:
    """Who it is, to the tiny model: colours of four quarters, `[B, 3, H, W]` to unit `[B, 12]`."""
    seen = torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1)
    return torch.nn.functional.normalize(seen, dim=-1)


class TinyEncoder(torch.nn.Module):
    """Pictures to codes by one seeded linear layer: different faces, different codes."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.rows, self.width = generator.num_layers, generator.style_dim
        self.average = generator.w_avg.clone()
        self.look = torch.nn.Linear(48, self.rows * self.width).requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        seen = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
        return self.average + self.look(seen).unflatten(1, (self.rows, self.width))


def conv_sizes(editor: FaceEditor) -> tuple[int, ...]:
    sizes = style_sizes(editor.generator)
    return tuple(sizes[index] for index in conv_indices(len(sizes)))
