"""Text encoder and delta network: training, files, edits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from guidance.common import conv_indices, save_tensors
from guidance.methods.delta import DeltaEdit, load_delta, save_delta, step_pairs
from guidance.methods.text_encoder import (
    FILE_NAME,
    TextEncoding,
    load_text_encoder,
    save_text_encoder,
)
from guidance.targets import embed_text
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.types import EditRequest, Toolkit
from recipes.factors import train_delta
from recipes.factors.delta_words import word_moves
from recipes.loop import RunConfig, start
from recipes.words import train_text_encoder

CAPTIONS = ["a man", "a woman", "a smile", "an old face", "red hair", "glasses"]


@pytest.fixture
def request_(toolkit: Toolkit) -> EditRequest:
    latent = toolkit.generator.sample(1, 3)
    return EditRequest(
        latent, embed_text(toolkit.clip, "a smile"), embed_text(toolkit.clip, "a face")
    )


def test_text_encoder_learns_saves_and_edits(
    toolkit: Toolkit, request_: EditRequest, tmp_path: Path
) -> None:
    bank = toolkit.clip.encode_text(CAPTIONS)
    pairs = train_text_encoder.sampled_pairs(toolkit, bank, 48)
    encoder = train_text_encoder.new_text_encoder(toolkit, pairs)

    def distance() -> float:
        noise = torch.zeros(1, 48, encoder.config.noise)
        return float(
            train_text_encoder.encoder_loss(encoder, pairs.pictures, pairs.codes, noise)[
                "distance"
            ].detach()
        )

    before = distance()
    run = start(RunConfig(tmp_path / "run", 40), "1", "cpu")
    train_text_encoder.train(run, encoder, pairs, batch=16)
    assert distance() < before
    path = save_text_encoder(encoder, tmp_path / FILE_NAME, {})
    loaded = load_text_encoder(path)
    noise = loaded.draw_noise(1, 0)
    torch.testing.assert_close(
        loaded(request_.target, noise), encoder.eval()(request_.target, noise)
    )

    method = TextEncoding(replace(toolkit, folder=tmp_path))
    for options in (
        {},
        {"relative": False, "layers": "medium"},
        {"steps": 2, "refine": {"lr": 0.01}},
    ):
        offset = method.offset(replace(request_, options=options))
        assert offset.w is not None
        assert offset.w.shape == request_.latent.w.shape
        assert offset.w.isfinite().all()
        if "layers" in options:
            assert float(offset.w[:, :2].abs().sum()) == 0
    with pytest.raises(ValueError, match="mix"):
        method.offset(replace(request_, options={"mix": 2.0}))


def test_generation_is_seeded_and_diverse(toolkit: Toolkit, request_: EditRequest) -> None:
    pairs = train_text_encoder.sampled_pairs(toolkit, toolkit.clip.encode_text(CAPTIONS), 16)
    network = train_text_encoder.new_text_encoder(toolkit, pairs).eval()
    method = TextEncoding(toolkit, network)
    one, same, other = (method.generate(request_.target, seed).w for seed in (1, 1, 2))
    assert one.shape == request_.latent.w.shape
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(network.draw_noise(5, 3)[:2], network.draw_noise(2, 3))
    with pytest.raises(ValueError, match="candidates"):
        method.generate(request_.target, candidates=0)


def test_renders_and_their_captions_join_the_samples(toolkit: Toolkit, tmp_path: Path) -> None:
    folder = tmp_path / "shard_00000"
    folder.mkdir()
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    np.save(folder / "images.npy", pictures)
    texts = [[f"face {i}", "other words", f"a person of {i}"] for i in range(6)]
    (folder / "captions.jsonl").write_text("\n".join(map(json.dumps, texts)))
    generator = toolkit.generator
    shape = BundleEncoderConfig(generator.num_layers, 32, generator.style_dim, 16, 16)
    encoder = BundleEncoder(shape).eval().requires_grad_(False)
    found = train_text_encoder.rendered_pairs(toolkit, encoder, tmp_path, 5, batch=2)
    assert found.codes.shape == (5, generator.num_layers, generator.style_dim)
    assert found.nearest.tolist() == [[2 * i, 2 * i + 1] for i in range(5)]
    row = int(np.random.default_rng(0).permutation(6)[1])
    told = toolkit.clip.encode_text([f"face {row}", f"a person of {row}"]).cpu()
    torch.testing.assert_close(found.captions[2:4], told)
    bank = toolkit.clip.encode_text(["a face", "a man", "a woman"]).cpu()
    drawn = train_text_encoder.sampled_pairs(toolkit, bank, 4, nearest=3)
    both = train_text_encoder.joined(drawn, found)
    assert len(both.codes) == 9
    assert both.captions.shape[0] == 3 + 10
    assert both.nearest[4].tolist() == [3, 4, 3]


def test_words_name_the_steps_of_known_directions(toolkit: Toolkit, tmp_path: Path) -> None:
    generator = toolkit.generator
    shape = (generator.num_layers, generator.style_dim)
    known = {
        "smile": torch.randn(shape),
        "hair_red": torch.randn(shape),
        "sefa 1": torch.ones(shape),
    }
    moves = word_moves(toolkit, known)
    assert moves is not None
    assert word_moves(toolkit, {"sefa 1": known["sefa 1"]}) is None
    assert len(moves.wordings) == len(moves.shifts) == 3  # a smile, its opposite, red hair
    w = generator.sample(1, 3).w
    before, after = generator.styles(w), generator.styles(w + known["smile"])
    convs = conv_indices(len(before))
    step = torch.cat([after[i] - before[i] for i in convs], dim=-1)[0]
    torch.testing.assert_close(moves.shifts[0], step, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moves.shifts[1], -moves.shifts[0])
    change, shift = moves.draw(8, torch.Generator().manual_seed(0))
    torch.testing.assert_close(change.norm(dim=1), torch.ones(8))
    assert shift.shape == (8, step.shape[0])
    pairs = train_delta.collect(toolkit, 32)
    network = train_delta.new_delta(toolkit, pairs)
    run = start(RunConfig(tmp_path / "run", 30), "1", "cpu")
    train_delta.train(run, network, pairs, moves, batch=16)
    assert train_delta.calibrate(network, pairs, moves) > 0


def test_step_pairs_do_not_lean_on_the_face(toolkit: Toolkit) -> None:
    before, after, seen, moved = step_pairs(toolkit, 64, 0)
    assert before.shape == after.shape
    assert seen.shape == moved.shape == (64, toolkit.clip.dim)
    change = after - before
    centred = before - before.mean(0)
    cosine = torch.nn.functional.cosine_similarity(centred, change, dim=1).mean()
    assert abs(float(cosine)) < 0.15, "a step must not pull towards the average face"


def test_delta_network_learns_saves_and_edits(
    toolkit: Toolkit, request_: EditRequest, tmp_path: Path
) -> None:
    pairs = train_delta.collect(toolkit, 64)
    network = train_delta.new_delta(toolkit, pairs)

    def loss() -> float:
        change = torch.nn.functional.normalize(pairs.moved_seen - pairs.seen, dim=-1)
        with torch.no_grad():
            made = network(pairs.styles, pairs.seen, change)
        return float((made - (pairs.moved - pairs.styles) / network.std).square().mean())

    before = loss()
    train_delta.train(start(RunConfig(tmp_path / "run", 40), "1", "cpu"), network, pairs, batch=16)
    assert loss() < before
    assert train_delta.calibrate(network, pairs) > 0
    save_delta(network, tmp_path / "delta.safetensors", {})
    loaded = load_delta(tmp_path / "delta.safetensors")
    assert float(loaded.gain) == pytest.approx(float(network.gain))
    method = DeltaEdit(replace(toolkit, folder=tmp_path))
    one, two = method.offset(request_), method.offset(replace(request_, options={"gain": 2.0}))
    assert one.styles is not None
    assert two.styles is not None
    torch.testing.assert_close(torch.cat(one.styles, 1) * 2, torch.cat(two.styles, 1))
    assert float(one.styles[1].abs().sum()) == 0, "toRGB stays"


def test_missing_and_foreign_networks(
    toolkit: Toolkit, request_: EditRequest, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        TextEncoding(toolkit).offset(request_)
    with pytest.raises(FileNotFoundError):
        DeltaEdit(toolkit).offset(request_)
    pairs = train_delta.collect(toolkit, 16)
    save_delta(train_delta.new_delta(toolkit, pairs), tmp_path / "d.safetensors", {})
    with pytest.raises(ValueError, match="text encoder"):
        load_text_encoder(tmp_path / "d.safetensors")
    for load, kind in ((load_delta, "delta network"), (load_text_encoder, "text encoder")):
        save_tensors(tmp_path / "odd.safetensors", {"a": torch.zeros(1)}, {"kind": kind})
        with pytest.raises(ValueError, match="of this kind"):
            load(tmp_path / "odd.safetensors")
