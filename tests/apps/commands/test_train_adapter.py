"""`semblance train-adapter`: the model's ears lead to another CLIP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from apps.cli import run
from multimodal import FaceEditor
from multimodal.editing.assemble import own_folder
from recipes.sound.adapter import text_bank, vectors
from tests.apps.model_folder import another_clip, small_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("ears"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return another_clip(tmp_path_factory.mktemp("other") / "clip")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMBLANCE_CACHE", str(tmp_path / "cache"))


def test_a_model_hears_for_another_clip_once_trained(
    model: Path, other: Path, laugh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = FaceEditor.from_pretrained(model, device="cpu", clip=other)
    assert before.toolkit.sound is None
    texts = tmp_path / "texts.txt"
    texts.write_text("a smiling old man\n\na smiling old man\nein lachendes Gesicht\n", "utf-8")
    words = ["train-adapter", other, "--model", model, "--captions", 20, "--texts", texts]
    assert run([str(word) for word in (*words, "--hidden", 4, "--device", "cpu", "--json")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["texts"] == len(text_bank(20)) + 2
    assert 0 < told["cosine"] <= 1
    editor = FaceEditor.from_pretrained(model, device="cpu", clip=other)
    heard = editor.embed(sound=laugh)
    assert heard.shape == (1, 20)
    torch.testing.assert_close(heard.norm(), torch.tensor(1.0))
    own = FaceEditor.from_pretrained(model, device="cpu")
    assert own.embed(sound=laugh).shape == (1, 16)


def test_texts_are_the_same_for_the_same_seed() -> None:
    bank = text_bank(30, 1)
    assert bank == text_bank(30, 1)
    assert bank != text_bank(30, 2)
    assert len(set(bank)) == len(bank) > 300
    assert set(text_bank(0)) < set(bank)


def test_batches_do_not_change_a_vector() -> None:
    def encode(texts: object) -> torch.Tensor:
        return torch.tensor([[float(len(text))] for text in texts])  # type: ignore[attr-defined]

    texts = ["a" * i for i in range(130)]
    assert vectors(encode, texts).flatten().tolist() == [float(i) for i in range(130)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["OTHER", "--model", "tiny"], "no sentence space"),
        (["OTHER", "--texts", "NONE.txt"], "NONE.txt"),
        (["OTHER", "--texts", "BINARY"], "UTF-8"),
        (["OTHER", "--captions", "-1"], "captions"),
        (["no-such-clip"], "no-such-clip"),
    ],
)
def test_what_cannot_work_is_one_line(
    model: Path,
    other: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    named = {"OTHER": str(other), "BINARY": str(tmp_path / "binary")}
    given = ["train-adapter", "--model", str(model), "--captions", "0"]
    assert run([*given, *(named.get(word, word) for word in words)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error


def test_each_clip_has_a_folder_of_its_own(
    model: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = another_clip(tmp_path / "clip")
    assert own_folder(model, other) != own_folder(model, second)
    assert own_folder(model, other) != own_folder(model)
    monkeypatch.chdir(other.parent)
    assert own_folder(model, "clip") == own_folder(model, other) == own_folder(model, "./clip")
    kept = own_folder(model, other)
    (model / "note.txt").write_text("what joins the weights later")
    assert own_folder(model, other) == kept
    assert own_folder("default", "ViT-B-32/openai").name == "default+ViT-B-32-openai"
