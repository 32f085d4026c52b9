"""A tiny editor that sees, reads and hears, and the studio served over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from guidance.common import conv_indices, style_sizes
from multimodal import FaceEditor
from multimodal.types import Generator, Offset

SOUNDS = Path(__file__).parents[2] / "apps" / "samples" / "sounds"
FACES = Path(__file__).parents[2] / "apps" / "samples" / "faces"


def tiny_editor(folder: Path) -> FaceEditor:
    """The registry's tiny model with seeded ears, two directions, a quick edit network and no face
    detector."""
    from audio.alignment import SoundEmbedder
    from audio.encoder import SoundConfig, SoundEncoder
    from guidance.delta import DeltaConfig, DeltaNetwork, save_delta

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
    toolkit = replace(editor.toolkit, sound=SoundEmbedder(ears), lpips=None, folder=folder)
    return FaceEditor(toolkit=toolkit, encoder=encoder, directions=directions, name="tiny")


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


@pytest.fixture(scope="session")
def editor(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    return tiny_editor(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture of something."""
    image = Image.new("RGB", (96, 96), "#7ba")
    ImageDraw.Draw(image).ellipse((20, 20, 76, 84), fill="#d9a")
    path = tmp_path / "photo.png"
    image.save(path)
    return path


@pytest.fixture(scope="session")
def laugh() -> Path:
    return SOUNDS / "1_laugh.ogg"


@pytest.fixture(scope="session")
def studio_url(editor: FaceEditor) -> Iterator[str]:
    """The studio, served on a free port of this machine."""
    from apps.studio.server import ServerConfig, launch
    from apps.web import build_demo

    demo = build_demo(editor)
    try:
        yield launch(demo, ServerConfig(port=free_port()), block=False).rstrip("/")
    finally:
        demo.close(verbose=False)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
