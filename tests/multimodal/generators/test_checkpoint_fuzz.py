"""A damaged checkpoint of any format is read or refused: nothing else happens, whatever the bytes."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multimodal.generators import CheckpointError, load_generator, save_generator
from multimodal.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from multimodal.inversion import load_encoder
from tests.checkpoint_files import nvlabs_pickle, rosinality_file

Damage = list[tuple[float, int, str]]

damages = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.sampled_from(["set", "cut", "insert", "drop"]),
    ),
    min_size=1,
    max_size=6,
)
relaxed = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def damaged(content: bytes, damage: Damage) -> bytes:
    """The bytes after every piece of damage, each at a place given as a share of the length."""
    out = bytearray(content)
    for place, value, kind in damage:
        at = int(place * len(out))
        if kind == "cut":
            del out[at + 1 :]
        elif kind == "insert":
            out[at:at] = bytes([value]) * 3
        elif kind == "drop":
            del out[at : at + 1 + value]
        elif out:
            out[at] = value
    return bytes(out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one small generator in every format."""
    folder = tmp_path_factory.mktemp("whole")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        generator = StyleGAN2(StyleGAN2Config(32, (4, 4, 4, 4), 8, 8, mapping_layers=1))
    nvlabs_pickle(generator.state_dict(), folder / "g.pkl")
    rosinality_file(generator, folder / "g.pt")
    save_generator(generator, folder / "g.safetensors")
    return folder


def read_or_refused(load: Callable[[], object]) -> None:
    """Runs a reader; an error must be one that a person can act on."""
    with contextlib.suppress(CheckpointError, ValueError, FileNotFoundError):
        load()


@pytest.mark.parametrize("name", ["g.pkl", "g.pt", "g.safetensors", "g.json"])
@relaxed
@given(damage=damages)
def test_damaged_generators(whole: Path, tmp_path: Path, name: str, damage: Damage) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(damaged((whole / name).read_bytes(), damage))
    source = tmp_path / name.replace(".json", ".safetensors")
    read_or_refused(lambda: load_generator(source, "cpu"))


@relaxed
@given(content=st.binary(max_size=400), ending=st.sampled_from([".pt", ".pkl", ".safetensors"]))
def test_any_bytes_at_all(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"anything{ending}"
    path.write_bytes(content)
    with pytest.raises((CheckpointError, ValueError, FileNotFoundError)):
        load_generator(path, "cpu")
    with pytest.raises((CheckpointError, ValueError, FileNotFoundError)):
        load_encoder(path)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@relaxed
@given(key=st.integers(0, 30), value=plain)
def test_any_value_in_the_description(whole: Path, tmp_path: Path, key: int, value: object) -> None:
    about = json.loads((whole / "g.json").read_text())
    inner = about["config"] if isinstance(about.get("config"), dict) else about
    names = sorted(inner)
    inner[names[key % len(names)]] = value
    shutil.copy(whole / "g.safetensors", tmp_path)
    (tmp_path / "g.json").write_text(json.dumps(about))
    read_or_refused(lambda: load_generator(tmp_path / "g.safetensors", "cpu"))
