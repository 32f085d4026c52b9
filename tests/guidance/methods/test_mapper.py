"""Latent mapper: parity, published files, training, resuming."""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.methods.mapper import (
    LevelsMapper,
    Mapper,
    MapperConfig,
    MapperTraining,
    load_mapper,
    mapper_path,
    train_mapper,
)
from guidance.targets import embed_text
from multimodal.types import EditRequest, Progress, Toolkit


def _fill(
    spec: dict[str, object], key: str, shape: tuple[int, ...], mul: float, add: float
) -> torch.Tensor:
    seed = zlib.crc32(f"{spec['salt']}/{spec['net']}/{key}".encode())
    x = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    return torch.from_numpy((x * mul + add).astype(np.float32))


@pytest.mark.parametrize("net", ["styleclip_levels_mapper", "styleclip_levels_mapper_nofine14"])
def test_parity_through_a_published_file(parity: Path, tmp_path: Path, net: str) -> None:
    spec = json.loads((parity / f"{net}.json").read_text())
    expected = np.load(parity / f"{net}.npz")
    state = {
        f"mapper.{key}": _fill(
            spec, key, tuple(entry["shape"]), entry["fill"]["mul"], entry["fill"]["add"]
        )
        for key, entry in spec["state_dict"].items()
    }
    torch.save({"state_dict": state, "opts": argparse.Namespace(lr=0.5)}, tmp_path / "m.pt")
    mapper = load_mapper(tmp_path / "m.pt")
    source = spec["inputs"]["wplus"]
    w_plus = _fill(
        spec, source["key"], tuple(source["shape"]), source["mul"], source.get("add", 0.0)
    )
    np.testing.assert_allclose(mapper(w_plus), expected["delta"], atol=2e-5 * 8)
    np.testing.assert_allclose(mapper(w_plus[:1]), expected["delta_b1"], atol=2e-5 * 8)


def test_rubbish_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.pt").write_bytes(b"<html>no such file</html>")
    with pytest.raises(ValueError, match="web page"):
        load_mapper(tmp_path / "page.pt")
    torch.save({"state_dict": {"other": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="holds no mapper"):
        load_mapper(tmp_path / "other.pt")
    torch.save({"state_dict": [torch.zeros(1)]}, tmp_path / "list.pt")
    torch.save({"state_dict": {1: torch.zeros(1)}}, tmp_path / "numbers.pt")
    for name in ("list.pt", "numbers.pt"):
        with pytest.raises(ValueError, match="holds no mapper"):
            load_mapper(tmp_path / name)
    part = {"mapper.course_mapping.mapping.2.weight": torch.zeros(4, 4)}
    torch.save({"state_dict": part}, tmp_path / "part.pt")
    with pytest.raises(ValueError, match="first layer is missing"):
        load_mapper(tmp_path / "part.pt")
    words = {"mapper.course_mapping.mapping.1.weight": "a text", "mapper.epoch": 3}
    torch.save({"state_dict": part | words}, tmp_path / "words.pt")
    with pytest.raises(ValueError, match="first layer is missing"):
        load_mapper(tmp_path / "words.pt")
    with pytest.raises(FileNotFoundError):
        load_mapper(tmp_path / "missing.pt")
    with pytest.raises(ValueError, match="does not end"):
        load_mapper(tmp_path / "x.bin")
    with pytest.raises(ValueError, match="not among"):
        MapperConfig(levels=("middle",))


def test_what_a_published_file_holds_beside_tensors_is_passed_over(tmp_path: Path) -> None:
    mapper = LevelsMapper(MapperConfig(8))
    state = {f"mapper.{key}": value for key, value in mapper.state_dict().items()}
    torch.save({"state_dict": {**state, "mapper.epoch": 3}}, tmp_path / "m.pt")
    w_plus = torch.randn(1, 10, 8)
    torch.testing.assert_close(load_mapper(tmp_path / "m.pt")(w_plus), mapper(w_plus))


def test_unmapped_levels_stay() -> None:
    mapper = LevelsMapper(MapperConfig(8, ("medium",)))
    change = mapper(torch.randn(2, 10, 8)).detach()
    assert float(change[:, :4].abs().sum()) == float(change[:, 8:].abs().sum()) == 0
    assert float(change[:, 4:8].abs().sum()) > 0


def test_training_improves_resumes_and_serves_edits(toolkit: Toolkit, tmp_path: Path) -> None:
    clip = toolkit.clip
    target, neutral = embed_text(clip, "a smile"), embed_text(clip, "a face")
    out = mapper_path(tmp_path, "a smile")
    config = MapperTraining(steps=20, batch=2, checkpoint_every=10, directional=0.0)
    seen: list[Progress] = []

    def stop_halfway(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == 11 and len(seen) == 11:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_mapper(toolkit, target, neutral, out, config, stop_halfway)
    train_mapper(toolkit, target, neutral, out, config, seen.append)
    assert seen[11].step == 11, "resumed at the checkpoint"
    assert not Path(f"{out}.state").exists()
    clips = [p.losses["clip"] for p in seen]
    assert sum(clips[-4:]) < sum(clips[:4])
    request = EditRequest(toolkit.generator.sample(1, 0), target, neutral, text="a smile")
    offset = Mapper(replace(toolkit, folder=tmp_path)).offset(request)
    assert offset.w is not None
    assert offset.w.shape == request.latent.w.shape
    again = Mapper(toolkit).offset(replace(request, options={"mapper": out})).w
    assert again is not None
    assert torch.equal(offset.w, again)


def test_a_run_for_another_prompt_is_not_gone_on_with(toolkit: Toolkit, tmp_path: Path) -> None:
    words = [embed_text(toolkit.clip, text) for text in ("a smile", "glasses", "a face")]
    config = MapperTraining(steps=6, batch=2, checkpoint_every=2, directional=0.0)

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise InterruptedError

    out, seen = tmp_path / "mapper.safetensors", list[Progress]()
    with pytest.raises(InterruptedError):
        train_mapper(toolkit, words[0], words[2], out, config, stop)
    train_mapper(toolkit, words[1], words[2], out, replace(config, steps=4), seen.append)
    assert [p.step for p in seen] == [1, 2, 3, 4]


def test_a_mapper_of_another_width_is_refused(toolkit: Toolkit) -> None:
    latent = toolkit.generator.sample(1, 0)
    request = EditRequest(latent, *embed_text(toolkit.clip, "a face").expand(2, 1, -1))
    mapper = Mapper(toolkit, LevelsMapper(MapperConfig(latent.w.shape[-1] + 1)))
    with pytest.raises(ValueError, match="width"):
        mapper.offset(request)


def test_ones_own_mappers_of_a_shipped_model_are_found(toolkit: Toolkit, tmp_path: Path) -> None:
    own = replace(toolkit, folder=tmp_path / "shipped", own=tmp_path / "own")
    path = mapper_path(tmp_path / "own", "old")
    wanted = torch.nn.functional.normalize(torch.ones(1, toolkit.clip.dim), dim=-1)
    neutral = torch.nn.functional.normalize(wanted + torch.randn(wanted.shape), dim=-1)
    train_mapper(own, wanted, neutral, path, MapperTraining(steps=1, batch=1))
    request = EditRequest(toolkit.generator.sample(1, 0), wanted, neutral, "old")
    assert Mapper(own).offset(request).w is not None


def test_missing_mapper_says_what_to_do(toolkit: Toolkit) -> None:
    request = EditRequest(
        toolkit.generator.sample(1, 0), torch.ones(1, 32), torch.ones(1, 32), text="a hat"
    )
    with pytest.raises(FileNotFoundError, match="train-mapper"):
        Mapper(toolkit).offset(request)
