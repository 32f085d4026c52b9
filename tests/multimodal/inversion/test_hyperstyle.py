"""HyperStyle: the public file, its parts as recorded, and the passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from multimodal.generators.config import channels_for
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion import invert, load_encoder
from multimodal.inversion.encoders import hyper_network as hyper
from multimodal.inversion.encoders.hyperstyle import HyperStyle, without_aliases
from tests.parity_data import assert_close, expected, inputs, spec, state_dict

PARTS, WHOLE = "hyperstyle_parts", "hyperstyle_hypernet_1024"


def sliced(change: Tensor) -> Tensor:
    """The part of a change that is recorded."""
    outputs, ins = change.shape[1:3]
    return change[:, :: max(1, outputs // 16), :: max(1, ins // 16)]


@torch.no_grad()
def test_parts() -> None:
    weights, wanted, given = state_dict(PARTS), expected(PARTS), inputs(PARTS)

    def loaded(module: nn.Module, name: str) -> nn.Module:
        wide = {
            k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")
        }
        module.load_state_dict(wide)
        return module.eval()

    assert_close(
        loaded(hyper.SharedHypernet(40, 16, 24), "shared")(given["code"]), wanted["shared"]
    )
    channelwise = hyper.SharedHypernet(40, 16, 24, per_channel=True)
    found = loaded(channelwise, "shared_per_channel")(given["code"])
    assert_close(found, wanted["shared_per_channel"])
    table = hyper.layer_table(1024)
    for name, index, separable in (
        ("block24", 24, False),
        ("block23", 23, False),
        ("block25_rgb", 25, False),
        ("separable20", 20, True),
    ):
        change = loaded(hyper.Block(table[index], separable), name)(given["features"])
        assert_close(sliced(change), wanted[f"{name}.slice"])


def test_the_table_of_layers() -> None:
    recorded = spec(WHOLE)["layer_table_kernel_in_out"].values()
    table = hyper.layer_table(1024)
    assert [[x.kernel, x.inputs, x.outputs] for x in table] == list(recorded)
    assert [x.index for x in table if x.shared] == spec(WHOLE)["shared_layers"]
    assert [len(hyper.layer_table(side)) for side in (256, 512, 1024)] == [20, 23, 26]
    generator = StyleGAN2(StyleGAN2Config(64, channels_for(64)))
    state = generator.state_dict()
    for layer in hyper.layer_table(64):
        kernel = layer.kernel
        assert state[layer.key].shape == (layer.outputs, layer.inputs, kernel, kernel)


@pytest.mark.slow
@torch.no_grad()
def test_the_whole_network(tmp_path: Path) -> None:
    weights = {f"hypernet.{key}": value for key, value in state_dict(WHOLE).items()}
    options = {"output_size": 1024, "encoder_type": "SharedWeightsHyperNetResNet"}
    torch.save({"state_dict": weights, "opts": options}, tmp_path / "hyperstyle_ffhq.pt")
    del weights
    encoder = load_encoder(tmp_path / "hyperstyle_ffhq.pt", "cpu")
    assert isinstance(encoder, HyperStyle)
    image, wanted = inputs(WHOLE)["image"], expected(WHOLE)
    assert_close(encoder.network.features(image)[:, ::32], wanted["features.ch_step32"])
    changes = encoder.deltas(image)
    shapes = spec(WHOLE)["delta_shapes"]
    assert [i for i, change in enumerate(changes) if change is not None] == [i for i, _ in shapes]
    for (index, shape), row in zip(shapes, wanted["delta_stats"], strict=True):
        change = changes[index]
        assert change is not None
        assert list(change.shape) == shape
        assert_close(sliced(change), wanted[f"delta{index}.slice"])
        length = float(change.double().norm())
        assert float(change.double().sum()) == pytest.approx(row[0], abs=1e-5 * length)
        assert length == pytest.approx(row[1], rel=1e-5)


@pytest.fixture(scope="module")
def generator() -> StyleGAN2:
    """A 16 px StyleGAN2 of the family's widths."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return StyleGAN2(StyleGAN2Config(16, channels_for(16))).eval().requires_grad_(False)


@pytest.fixture
def encoder(generator: StyleGAN2, monkeypatch: pytest.MonkeyPatch) -> HyperStyle:
    """A hypernetwork that changes the to-colour layers of that network alone, so that it is small."""
    monkeypatch.setattr(hyper, "SIDES", (4, 8, 16))
    monkeypatch.setattr(hyper, "CHANNELS", (512, 512, 512))
    monkeypatch.setattr(hyper, "SharedHypernet", lambda *_: nn.Identity())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = hyper.HyperNetwork(16, [1, 4, 7])

    class First(nn.Module):
        """Gives the average code."""

        def forward(self, images: Tensor) -> Tensor:
            """`[B, 6, 512]`."""
            return torch.zeros(len(images), 6, 512)

    found = HyperStyle(network.eval().requires_grad_(False), None, generator)
    found.first = First()  # type: ignore[assignment]
    return found


def test_passes_add_up(encoder: HyperStyle, generator: StyleGAN2) -> None:
    target = torch.zeros(1, 3, 16, 16)
    found = invert(generator, target, "hyperstyle", encoder=encoder, perceptual=None, passes=2)
    assert found.tuned is not None
    assert set(found.tuned) == {f"synthesis.b{side}.torgb.weight" for side in (4, 8, 16)}
    _, once = encoder.refine(target, 1)
    key, original = "synthesis.b4.torgb.weight", generator.state_dict()
    assert not torch.allclose(once[key], found.tuned[key])
    shown = torch.nn.functional.interpolate(target, (256, 256))
    first = generator.synthesize(torch.zeros(1, 6, 512))
    seen = torch.cat([shown, torch.nn.functional.adaptive_avg_pool2d(first, 256)], dim=1)
    change = encoder.deltas(seen)[1]
    assert change is not None
    torch.testing.assert_close(once[key], original[key] * (1 + change[0]))


def test_what_it_needs_is_said(encoder: HyperStyle, generator: StyleGAN2) -> None:
    target = torch.zeros(1, 3, 16, 16)
    with pytest.raises(ValueError, match="needs a HyperStyle file"):
        invert(generator, target, "hyperstyle", perceptual=None)
    encoder.first = None
    with pytest.raises(ValueError, match=r"faces_w_encoder\.pt"):
        encoder.refine(target)
    with pytest.raises(ValueError, match="give one"):
        encoder.refine(target.expand(2, -1, -1, -1))


def test_shared_matrices_are_one() -> None:
    own: dict[str, Tensor] = {"shared_weight_hypernet.w1": torch.ones(2, 2)}
    alias = "refinement_blocks.0.hypernet.w1"
    assert set(without_aliases(own | {alias: torch.ones(2, 2)}, "f")) == set(own)
    with pytest.raises(ValueError, match="not the shared matrix"):
        without_aliases(own | {alias: torch.zeros(2, 2)}, "f")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder_type": "Other"}, "encoder_type 'Other'"),
        ({"output_size": 77}, "output_size 77"),
        ({}, "layers"),
    ],
)
def test_hostile_files(tmp_path: Path, options: Mapping[str, object], message: str) -> None:
    state = {"hypernet.conv1.weight": torch.zeros(1)}
    torch.save({"state_dict": state, "opts": dict(options)}, tmp_path / "h.pt")
    with pytest.raises(ValueError, match=message):
        load_encoder(tmp_path / "h.pt", "cpu")
