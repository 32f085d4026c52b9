"""`semblance evaluate` on a tiny model, and the parts it is made of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import apps.edits
from apps.cli import run
from apps.evaluation.measures import edits
from apps.evaluation.measures.goals import (
    PAIRS,
    PROMPTS,
    SOUNDS,
    SPACE_PROMPTS,
    flipped,
    meaning_of,
    prompt,
)
from apps.evaluation.report import markdown, table
from apps.evaluation.run import make_setting
from apps.evaluation.samples import spread
from apps.evaluation.setting import Plan, Setting, means
from apps.evaluation.suites import speed
from apps.evaluation.suites.calibrate import FACTORS, choose
from guidance.methods.directions import StatisticsConfig, compute_statistics
from multimodal import FaceEditor
from multimodal.recognition.judge import Judge, JudgeConfig, save_judge
from recipes.judge.train_judge import CLASSES
from recipes.render.words.heldout import HELD_OUT_WORDINGS
from recipes.render.words.wordings import WORDINGS
from tests.tiny_editor import tiny_editor

CONFIG = JudgeConfig(CLASSES, 32, 32, (8,) * 4, (8,) * 4, hidden=8)
TRAINED = {w for classes in WORDINGS.values() for words in classes.values() for w in words}
HELD_OUT = {
    w for classes in HELD_OUT_WORDINGS.values() for words in classes.values() for w in words
}


def looks(images: torch.Tensor) -> torch.Tensor:
    """A stand-in for an identity network: a coarse look."""
    seen = torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
    return torch.nn.functional.normalize(seen, dim=1)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> FaceEditor:
    """The tiny editor with quickly measured channel statistics and an identity network."""
    folder = tmp_path_factory.mktemp("evaluated")
    editor = tiny_editor(folder)
    tools = replace(editor.toolkit, identity=looks)
    quick = StatisticsConfig(samples=64, images=1, batch=64, fast=False)
    compute_statistics(tools.generator, tools.clip, folder / "directions.safetensors", config=quick)
    return replace(editor, toolkit=tools)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge with seeded random weights."""
    torch.manual_seed(0)
    figures = {"pictures": 10.0, "sex": 0.5, "soft_sex": 0.4, "years": 12.0}
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    return save_judge(Judge(CONFIG, figures), path)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three renders and a portrait."""
    folder = tmp_path_factory.mktemp("pack")
    source = np.random.default_rng(0)
    for name in ("renders/000", "renders/001", "renders/002", "portraits/female_00"):
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        small = Image.fromarray(source.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        small.resize((32, 32)).save(path)
    return folder


@pytest.fixture
def setting(subject: FaceEditor, judge: Path, pack: Path, tmp_path: Path) -> Setting:
    plan = Plan(faces=1, slow_faces=0, steps=2, repeats=1)
    return make_setting("tiny", lambda: subject, tmp_path, plan, judge, pack)


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch, subject: FaceEditor) -> None:
    """The command loads the tiny test editor, whatever model it names."""
    monkeypatch.setattr(apps.edits, "load_editor", lambda *_, **__: subject)


def test_prompts_name_known_classes_and_half_are_worded_anew() -> None:
    assert len(PROMPTS) >= 20
    for wish in [*PROMPTS, *SOUNDS.values()]:
        for goal in (*wish.goals, *wish.needs):
            assert all(CONFIG.index(goal.attribute, name) >= 0 for name in goal.classes)
    for wish in PROMPTS:
        if wish.heldout:
            assert any(word in wish.text for word in HELD_OUT), wish.text
        else:
            assert any(word in wish.text for word in TRAINED), wish.text
    assert 0.4 <= sum(wish.heldout for wish in PROMPTS) / len(PROMPTS) <= 0.6
    for text in (*SPACE_PROMPTS, *(text for pair in PAIRS for text in pair)):
        assert prompt(text).goals
    with pytest.raises(ValueError, match="'a cat' is not one"):
        prompt("a cat")


def reading(**classes: str) -> dict[str, torch.Tensor]:
    """A reading that is sure of everything: the first class, or the named one."""
    out = {}
    for name, values in CLASSES.items():
        sure = torch.full((1, len(values)), 0.01)
        sure[0, values.index(classes.get(name, values[0]))] = 0.9
        out[name] = sure
    return out


def test_wishes_know_when_they_are_fulfilled_and_where_they_make_sense() -> None:
    beard = prompt("a man with a full beard")
    man = reading(sex="male", age="old")
    assert beard.applies(CONFIG, man)
    assert not beard.applies(CONFIG, reading(sex="female", age="old"))
    assert not beard.applies(CONFIG, reading(sex="male", age="child"))
    bearded = reading(sex="male", age="old", beard="full")
    assert beard.fulfilled(CONFIG, bearded)
    assert not beard.applies(CONFIG, bearded)
    assert prompt("a smiling person").fulfilled(CONFIG, reading(expression="laugh"))


def test_only_unrelated_sure_changes_are_flips() -> None:
    before = reading(sex="female", hair_color="brown")
    after = reading(sex="male", hair_color="gray")
    assert flipped(CONFIG, before, after, ()) == ["sex", "hair_color"]
    assert flipped(CONFIG, before, after, prompt("an old person").related) == ["sex"]
    unsure = reading()
    unsure["sex"] = torch.tensor([[0.55, 0.45]])
    assert "sex" not in flipped(CONFIG, unsure, reading(sex="male"), ())


def test_sound_files_mean_what_their_names_say() -> None:
    assert meaning_of("2_baby_cry") == SOUNDS["baby"]
    assert meaning_of("Woman-sobbing") == SOUNDS["sob"]
    assert meaning_of("5_moan") == SOUNDS["moan"]
    assert meaning_of("0001") is None


def test_means_leave_out_what_was_not_measured() -> None:
    rows = [{"m": "a", "x": 1.0}, {"m": "b", "x": None}, {"m": "a", "x": 3.0}, {"m": "a"}]
    assert means(rows, ("m",), ("x",)) == [
        {"m": "a", "n": 3, "x": 2.0},
        {"m": "b", "n": 1, "x": None},
    ]
    assert spread([1, 2, 3, 4], 2) == [1, 3]
    assert table([{"a": 0.12345, "b": None}, {"a": True, "b": "x"}]).splitlines()[2:] == [
        "| 0.123 | - |",
        "| yes | x |",
    ]


def test_the_choice_prefers_success_that_keeps_the_person() -> None:
    def row(method: str, value: float, success: float, identity: float) -> dict[str, object]:
        good = success if identity > 0.8 else 0.1
        return {"method": method, "option": "gain", "value": value, "success": success,
                "good": good, "identity": identity, "flipped": 0.1}  # fmt: skip

    chosen = choose(
        [row("delta", 1, 0.6, 0.9), row("delta", 2, 0.8, 0.85), row("delta", 3, 0.9, 0.5),
         row("direction", 1, 0.95, 0.7)]
    )  # fmt: skip
    assert chosen.auto == "delta"
    assert chosen.options == {"delta": {"gain": 2}, "direction": {"gain": 1}}
    assert choose([]).auto == "optimize"
    kept = choose([row("delta", 2, 0.8, 0.85)], {"delta": {"gain": 1, "other": 3}, "optimize": {}})
    assert kept.options == {"delta": {"gain": 2, "other": 3}}


def call(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    assert run(["evaluate", *(str(word) for word in words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_suites_add_up_to_one_report(
    capsys: pytest.CaptureFixture[str], judge: Path, pack: Path, tmp_path: Path
) -> None:
    common = ["--judge", judge, "--data", pack, "--out", tmp_path, "--model", "tiny"]
    told = call(capsys, "--suite", "text", "--faces", 2, "--slow-faces", 0, *common)
    methods = {row["method"] for row in told["text"]}  # type: ignore[attr-defined]
    assert methods == {"delta", "direction", "auto (= delta)"}
    call(capsys, "--suite", "sound", "--faces", 1, "--slow-faces", 0, *common)
    call(capsys, "--suite", "inversion", "--faces", 2, "--slow-faces", 1, "--steps", 2, *common)
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["suites"]) == ["text", "sound", "inversion"]
    for suite in results["suites"].values():
        assert all((tmp_path / file).is_file() for _, file in suite["pictures"])
        assert suite["pictures"]
    check_text(results["suites"]["text"]["tables"])
    check_sound(results["suites"]["sound"]["tables"])
    check_inversion(results["suites"]["inversion"]["tables"])
    page = (tmp_path / "report.md").read_text()
    assert page == markdown(results)
    for words in ("## The judge", "## Text", "### Order of edits", "![Edits by sound"):
        assert words in page
    assert "Every edit" not in page


def check_text(tables: dict[str, dict[str, list[dict[str, object]]]]) -> None:
    rows = tables["every edit"]["rows"]
    assert all(row["success"] in (True, False) and row["identity"] <= 1.001 for row in rows)  # type: ignore[operator]
    assert {row["method"] for row in tables["order of edits"]["rows"]} == {"delta", "direction"}
    assert all(0 <= row["code"] < 2 for row in tables["order of edits"]["rows"])  # type: ignore[operator]
    assert tables["set distances"]["rows"][0]["set"] == "reconstructions"


def check_sound(tables: dict[str, dict[str, list[dict[str, object]]]]) -> None:
    rows = tables["every edit"]["rows"]
    assert {row["by"] for row in rows} == {"sound", "words"}
    assert all(row["success"] is None for row in rows if row["sound"] == "8_piano")
    found = tables["retrieval"]["rows"][0]
    assert found["sounds"] == 8
    assert 0 <= found["sound_to_text"] <= 1  # type: ignore[operator]


def check_inversion(tables: dict[str, dict[str, list[dict[str, object]]]]) -> None:
    counts = {row["method"]: row["n"] for row in tables["renders"]["rows"]}
    assert counts["encoder"] == 2
    assert counts["pivotal tuning"] == counts["adam in s"] == 1
    assert {row["method"] for row in tables["portraits"]["rows"]} == set(counts)
    spaces = {row["space"] for row in tables["latent spaces"]["rows"]}
    assert {f"{space} (renders)" for space in ("z", "w", "w+", "p", "pn+", "s")} <= spaces
    assert all(row["psnr"] > 0 and row["seconds"] > 0 for row in tables["renders"]["rows"])  # type: ignore[operator]


def test_choosing_writes_what_auto_reads(
    capsys: pytest.CaptureFixture[str], judge: Path, pack: Path, tmp_path: Path
) -> None:
    common = ["--judge", judge, "--data", pack, "--out", tmp_path, "--faces", 1]
    words = ["--suite", "none", "--slow-faces", 0, "--choose", tmp_path / "model"]
    told = call(capsys, *words, *common)
    content = json.loads(Path(str(told["methods"])).read_text())
    assert content["auto"] in ("delta", "direction")
    assert set(content["options"]) == {"delta", "direction"}
    assert len(content["table"]) == 2 * len(FACTORS)


def test_speed_times_edits_parts_and_loading(setting: Setting) -> None:
    tables = {t.name: t.rows for t in speed.run(setting).tables}
    assert [row["method"] for row in tables["edits"]] == ["delta", "direction"]
    assert all(min(row["first"], row["again"], row["strength"]) > 0 for row in tables["edits"])
    assert {"draw", "embed a sound", "animate"} <= {row["what"] for row in tables["parts"]}
    (loading,) = tables["loading"]
    assert loading["load_s"] > 0
    assert 0.05 < loading["peak_gb"] < 20


def test_slow_methods_are_left_out_on_request(setting: Setting) -> None:
    assert edits.methods(setting) == ["delta", "direction"]
    some = replace(setting, plan=replace(setting.plan, slow_faces=1))
    assert edits.methods(some) == ["delta", "direction", "optimize"]
    assert not edits.has_mapper(setting, "a smile")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--suite everything", "inversion, text, sound, speed, photos, all, none"),
        ("--judge NONE.safetensors", "NONE.safetensors"),
        ("--judge JUDGE --data NONE", "recipes.evaluate.evaluation_pack"),
        ("--judge JUDGE --data PACK --sounds NONE", "NONE"),
        ("--faces 0", "faces"),
    ],
)
def test_what_is_missing_is_named(
    capsys: pytest.CaptureFixture[str],
    judge: Path,
    pack: Path,
    tmp_path: Path,
    words: str,
    message: str,
) -> None:
    given = words.replace("JUDGE", str(judge)).replace("PACK", str(pack)).split()
    assert run(["evaluate", "--suite", "text", "--out", str(tmp_path / "out"), *given]) == 2
    assert message in capsys.readouterr().err
