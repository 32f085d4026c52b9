"""The judge of edits: probabilities, sizes, the file, clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from multimodal.files.weights import WeightsError
from multimodal.recognition.judge import YEARS, Judge, JudgeConfig, load_judge, save_judge

CLASSES = {"sex": ("female", "male"), "beard": ("none", "stubble", "full")}


@pytest.fixture
def judge() -> Judge:
    torch.manual_seed(0)
    config = JudgeConfig(CLASSES, 32, 32, (8,) * 4, (8,) * 4, hidden=8)
    return Judge(config, {"sex": 0.9}).eval()


def test_readings_are_probabilities_of_any_size_of_picture(judge: Judge) -> None:
    for side in (32, 50, 128):
        found = judge.read(torch.rand(2, 3, side, side) * 2 - 1)
        assert set(found) == {"sex", "beard", YEARS}
        assert found["beard"].shape == (2, 3)
        assert torch.allclose(found["sex"].sum(dim=1), torch.ones(2))
        assert found[YEARS].shape == (2,)


def test_a_face_is_read_alike_alone_and_in_a_batch(judge: Judge) -> None:
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    together, alone = judge.read(images)["beard"][1], judge.read(images[1:2])["beard"][0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_what_is_saved_is_loaded(judge: Judge, tmp_path: Path) -> None:
    save_judge(judge, tmp_path / "judge.safetensors")
    loaded = load_judge(tmp_path)
    assert loaded.config == judge.config
    assert loaded.figures == {"sex": 0.9}
    assert not any(p.requires_grad for p in loaded.parameters())
    image = torch.rand(1, 3, 32, 32)
    assert torch.allclose(loaded.read(image)["sex"], judge.read(image)["sex"], atol=1e-2)


def test_errors_name_the_value_and_the_options(judge: Judge, tmp_path: Path) -> None:
    assert judge.config.index("beard", "full") == 2
    with pytest.raises(ValueError, match="'nose' is not one of"):
        judge.config.index("nose", "big")
    with pytest.raises(ValueError, match=r"'goatee' is not one of \('none'"):
        judge.config.index("beard", "goatee")
    with pytest.raises(ValueError, match="two classes"):
        JudgeConfig({"sex": ("male",)})
    with pytest.raises(ValueError, match="size 40"):
        JudgeConfig(CLASSES, whole=40)
    with pytest.raises(ValueError, match=r"widths \(8, 8\)"):
        JudgeConfig(CLASSES, face_widths=(8, 8))
    with pytest.raises(ValueError, match="expected pictures"):
        judge.read(torch.zeros(3, 32, 32))
    with pytest.raises(FileNotFoundError):
        load_judge(tmp_path)
    save_judge(judge, tmp_path / "judge.safetensors")
    (tmp_path / "judge.json").write_text('{"judge": {"classes": {}}}')
    with pytest.raises(WeightsError, match="not a judge"):
        load_judge(tmp_path)
