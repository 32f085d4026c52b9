"""Files of the families beside StyleGAN2 that are hostile, damaged or claim what they do not hold."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given

from multimodal.generators import CheckpointError, load_generator, save_generator
from multimodal.generators.families.base import Network
from multimodal.generators.families.catalogue import FAMILIES
from tests.checkpoint_files import nvlabs_pickle
from tests.multimodal.generators.test_checkpoint_fuzz import (
    Damage,
    damaged,
    damages,
    read_or_refused,
    relaxed,
)

BIGGAN_DEEP = ("output_dim", "z_dim", "class_embed_dim", "channel_width", "num_classes")


def write(model: Network, folder: Path) -> Path:
    """The family's public file of a network."""
    if model.family == "stylegan3":
        told = {"z_dim": 32, "first_stopband": 3.0, "margin_size": 4, "c_dim": 0}
        return nvlabs_pickle(model.state_dict(), folder / "g.pkl", told=told)
    if model.family == "biggan-deep":
        c = model.config
        sizes = (c.resolution, c.z_dim, c.class_dim, c.width, c.classes)
        told = dict(zip(BIGGAN_DEEP, sizes, strict=True)) | {
            "layers": [[bool(up), a, b] for up, a, b in c.layers],
            "attention_layer_position": c.attention,
            "n_stats": c.stats,
        }
        (folder / "config.json").write_text(json.dumps(told))
    torch.save(dict(model.state_dict()), folder / "g.pth")
    return folder / "g.pth"


@pytest.fixture(scope="module", params=list(FAMILIES))
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public file of every family's small network."""
    folder = tmp_path_factory.mktemp(request.param)
    return write(load_generator(f"tiny-{request.param}", "cpu"), folder)


def test_public_file(file: Path) -> None:
    model = load_generator(file, "cpu")
    small = load_generator(f"tiny-{model.family}", "cpu")
    codes = small.sample(2, seed=0).w
    assert torch.equal(model.synthesize(codes), small.synthesize(codes))


@relaxed
@given(damage=damages)
def test_damaged(file: Path, damage: Damage) -> None:
    whole = file.read_bytes()
    other = file.with_name(f"damaged{file.suffix}")
    other.write_bytes(damaged(whole, damage))
    read_or_refused(lambda: load_generator(other, "cpu"))


def test_truncated(file: Path) -> None:
    other = file.with_name(f"short{file.suffix}")
    for share in (0.1, 0.5, 0.99):
        other.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
        with pytest.raises(CheckpointError):
            load_generator(other, "cpu")


class Attack:
    """Pickles as a call of `os.mkdir`."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("legacy", [True, False])
def test_nothing_runs(file: Path, tmp_path: Path, legacy: bool) -> None:
    model, marker = load_generator(file, "cpu"), tmp_path / "ran"
    contents = {**model.state_dict(), "extra": Attack(marker)}
    if file.suffix == ".pkl":
        nvlabs_pickle(model.state_dict(), tmp_path / "g.pkl", told={"z_dim": Attack(marker)})
        other = tmp_path / "g.pkl"
    else:
        other = tmp_path / "g.pth"
        torch.save(contents, other, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError, match="refused the global"):
        load_generator(other, "cpu")
    assert not marker.exists()


def largest(state: dict[str, torch.Tensor]) -> str:
    """The key of the largest tensor."""
    return max(state, key=lambda key: state[key].numel())


def changed(file: Path, change: Callable[[dict[str, torch.Tensor]], object], to: Path) -> Path:
    """The network's weights, changed, in our own format with the original description."""
    model = load_generator(file, "cpu")
    state = dict(model.state_dict())
    change(state)
    about = {"family": model.family, "config": asdict(model.config)}
    (to / "g.json").write_text(json.dumps(about))
    from safetensors.torch import save_file

    save_file({key: t.contiguous() for key, t in state.items()}, to / "g.safetensors")
    return to / "g.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop(next(iter(s))), "missing key"),
        (lambda s: s.update(more=torch.zeros(1)), "unexpected key more"),
        (lambda s: s.update({largest(s): torch.zeros(1)}), "has shape"),
        (lambda s: next(iter(s.values())).view(-1)[0].fill_(float("nan")), "not finite"),
    ],
)
def test_strict(file: Path, tmp_path: Path, change: Any, message: str) -> None:
    broken = changed(file, change, tmp_path)
    with pytest.raises(CheckpointError, match=message):
        load_generator(broken, "cpu")


def test_description_of_a_giant(file: Path, tmp_path: Path) -> None:
    save_generator(load_generator(file, "cpu"), tmp_path / "g.safetensors")
    about = json.loads((tmp_path / "g.json").read_text())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in about["config"]:
        for value in (16384, 10**9, -1, "x", [16384] * 9, None, [[1, 4096, 4096]]):
            told = {**about, "config": {**about["config"], name: value}}
            (tmp_path / "g.json").write_text(json.dumps(told))
            read_or_refused(lambda: load_generator(tmp_path / "g.safetensors", "cpu"))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300 << 10, "memory was taken for what a file only claims"


def test_unknown_options_of_stylegan3_are_named(tmp_path: Path) -> None:
    state = load_generator("tiny-stylegan3", "cpu").state_dict()
    file = nvlabs_pickle(state, tmp_path / "g.pkl", told={"secret_option": 3})
    with pytest.raises(CheckpointError, match="secret_option"):
        load_generator(file, "cpu")


def test_strides_are_honoured(tmp_path: Path) -> None:
    model = load_generator("tiny-pggan", "cpu")
    state = {k: t.transpose(0, 1).contiguous().transpose(0, 1) if t.ndim > 1 else t for k, t in model.state_dict().items()}  # fmt: skip
    torch.save({"generator_smooth": state, "generator": {}}, tmp_path / "g.pth")
    codes = model.sample(1, seed=0).w
    again = load_generator(tmp_path / "g.pth", "cpu")
    torch.testing.assert_close(again.synthesize(codes), model.synthesize(codes))


def test_a_pickle_is_not_executed_by_its_source(tmp_path: Path) -> None:
    model = load_generator("tiny-stylegan3", "cpu")
    content = nvlabs_pickle(model.state_dict(), tmp_path / "g.pkl", told={}).read_bytes()
    assert b"raise SystemExit" in content  # the source that a careless reader would run
    with pytest.raises(CheckpointError, match="missing"):
        load_generator(tmp_path / "g.pkl", "cpu")  # without its options, other filters are meant
