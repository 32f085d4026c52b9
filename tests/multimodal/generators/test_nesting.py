"""Checkpoints as other tools nest and name them."""

from __future__ import annotations

import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from multimodal.generators import load_generator
from multimodal.generators.checkpoints import convert
from multimodal.generators.layout import CheckpointError
from multimodal.generators.registry import tiny_generator

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    path = convert("tiny", tmp_path_factory.mktemp("tiny") / "tiny.pt")
    return dict(torch.load(path, weights_only=True)["g_ema"])


def behind(prefix: str, state: State) -> State:
    return {f"{prefix}{key}": value for key, value in state.items()}


OTHER = {"discriminator.final.weight": torch.zeros(3)}
LAYOUTS: dict[str, Callable[[State], dict[str, Any]]] = {
    "g alone": lambda s: {"g": s},
    "empty g_ema beside g": lambda s: {"g_ema": {}, "g": s},
    "generator": lambda s: {"generator": s, "discriminator": {"w": torch.zeros(2)}},
    "params_ema": lambda s: {"params_ema": s, "params": behind("x.", s)},
    "generator_ema": lambda s: {"generator_ema": s},
    "lightning": lambda s: {
        "state_dict": {**behind("generator.", s), **OTHER},
        "pytorch-lightning_version": "2",
    },
    "lightning, averaged": lambda s: {
        "state_dict": {**behind("g.", {k: v * 0 for k, v in s.items()}), **behind("g_ema.", s)}
    },
    "compiled": lambda s: {"g_ema": behind("_orig_mod.", s)},
    "compiled and parallel": lambda s: {"g_ema": behind("module._orig_mod.", s)},
    "compiled lightning": lambda s: {"state_dict": behind("generator._orig_mod.", s)},
    "nested": lambda s: {"model": {"g_ema": s, "d": {"w": torch.zeros(1)}}, "step": 3},
    "bare": lambda s: dict(s),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_other_tools_load(tmp_path: Path, state: State, layout: str) -> None:
    path = tmp_path / "weights.ckpt"
    torch.save(LAYOUTS[layout](state), path)
    found = load_generator(path, "cpu")
    assert torch.equal(found.synthesis.b4.const, tiny_generator().synthesis.b4.const)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_generator(path, "cpu")
    return str(caught.value)


class Generator(nn.Linear):
    """Somebody's network."""


def test_a_whole_pickled_module_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("model")
    module.Generator = Generator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "model", module)
    monkeypatch.setattr(Generator, "__module__", "model")
    for contents in (Generator(2, 2), {"g_ema": Generator(2, 2)}):
        torch.save(contents, tmp_path / "whole.pt")
        said = refused(tmp_path / "whole.pt")
        assert "refused the global model.Generator" in said
        assert "whole pickled module" in said
        assert "state_dict()" in said
    (tmp_path / "whole.pkl").write_bytes(pickle.dumps({"G_ema": Generator(2, 2)}))
    assert "whole pickled module" in refused(tmp_path / "whole.pkl")


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_new_pickle_protocols_are_named(
    tmp_path: Path, state: State, protocol: int, zipped: bool
) -> None:
    path = tmp_path / "new.pt"
    torch.save(
        {"g_ema": state}, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped
    )
    said = refused(path)
    assert f"pickle protocol {protocol}" in said or not zipped
    assert len(said) < 300


def test_a_checkpoint_inside_an_archive_is_named(tmp_path: Path, state: State) -> None:
    torch.save({"g_ema": state}, tmp_path / "inner.pt")
    with zipfile.ZipFile(tmp_path / "download.pt", "w") as archive:
        archive.write(tmp_path / "inner.pt", "models/inner.pt")
        archive.writestr("README.txt", "hello")
    said = refused(tmp_path / "download.pt")
    assert "ZIP archive" in said
    assert "models/inner.pt" in said
    assert "unpack it first" in said
