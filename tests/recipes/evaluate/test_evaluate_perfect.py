"""Perfect edits: the renderer changes what a prompt asks for, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from apps.evaluation.measures.goals import PROMPTS, prompt
from multimodal.files.bundled import HOME
from multimodal.recognition.judge import FILE_NAME
from recipes.evaluate.evaluate_perfect import changed, main, means
from recipes.render.drawing.assets import default_root
from recipes.render.factors import Factors, sample_factors


@pytest.mark.parametrize("wish", PROMPTS, ids=lambda wish: wish.text)
def test_every_prompt_changes_a_head_and_leaves_the_rest(wish: object) -> None:
    head = sample_factors(3, "heldout")
    head = Factors(**{**asdict(head), "sex": 0.9, "age": 40.0, "beard_style": "stubble"})
    new = changed(head, wish)  # type: ignore[arg-type]
    differ = {name for name, value in asdict(new).items() if value != asdict(head)[name]}
    assert 1 <= len(differ) <= 4
    assert not differ & {"identity", "yaw", "background_seed", "light_yaw", "seed"}


def test_women_and_children_have_no_beard() -> None:
    head = Factors(sex=0.9, age=40.0, beard_style="full", beard_amount=0.9)
    for text in ("a woman", "a youngster"):
        assert changed(head, prompt(text)).beard_style == "none"


def test_means_count_the_edits() -> None:
    rows = [{"prompt": "a", "success": True, "identity": 0.5}, {"prompt": "b", "success": False}]
    rows[1]["identity"] = 1.0
    assert means(rows) == {"n": 2, "success": 0.5, "identity": 0.75}


@pytest.mark.skipif(not default_root().is_dir(), reason="no MakeHuman assets here")
def test_figures_of_a_few_heads(tmp_path: Path) -> None:
    torch.manual_seed(0)
    main(HOME / "default" / FILE_NAME, tmp_path / "perfect.json", heads=1, resolution=64)
    found = json.loads((tmp_path / "perfect.json").read_text())
    assert found["all"]["n"] == sum(part["n"] for part in found["by_prompt"].values())
    assert 0 <= found["all"]["success"] <= 1
