"""The adapter from sounds to the faces that make them."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from audio.alignment import OWN_CLIP, adapter_target, load_adapter, save_adapter
from recipes.clip.clip_model import ClipConfig, new_clip
from recipes.sound.sound_to_faces import FACES, FaceTargets, classes_of, fit, judge, worded_pairs
from recipes.sound.texts import GROUPS
from recipes.words.clip_words import class_prompts
from tests.tiny_text import tiny_sentence_model


def test_faces_stand_for_known_sounds_and_known_classes() -> None:
    heard, shown = {name for group in GROUPS.values() for name in group}, class_prompts()
    assert set(FACES) <= heard
    assert all(value in shown[attribute] for face in FACES.values() for attribute, value in face)


def test_classes_of_several_sounds() -> None:
    assert classes_of(["adult speech", "angry", "woman", "adult"]) == (
        ("expression", "angry"),
        ("sex", "female"),
    )
    assert classes_of(["baby cry", None]) == (("age", "child"), ("expression", "crying"))
    assert classes_of(["music", None]) == ()


def test_sounds_are_led_to_their_faces(tmp_path: Path) -> None:
    config = ClipConfig(image_tower="test_resnet", image_size=32, dim=16, context_length=48)
    clip = new_clip(tiny_sentence_model(tmp_path / "text"), config)
    targets = FaceTargets(clip)
    sentences, wanted = worded_pairs(clip, targets)
    assert len(sentences) == len(wanted) > 1000
    source = torch.Generator().manual_seed(0)
    sounds = F.normalize(torch.randn(2, sentences.shape[1], generator=source), dim=-1)
    names = ("smile", "angry")
    faces = torch.cat([targets([("expression", name)]) for name in names])
    heard = sounds.repeat(60, 1), faces.repeat(60, 1)
    adapter = fit((sentences[:200], wanted[:200]), heard, hidden=16, seed=0)
    found = judge(adapter, sounds, [{"expression": name} for name in names], targets)
    assert found == {"expression": 1.0}
    save_adapter(adapter, tmp_path / "ears", OWN_CLIP)
    assert adapter_target(tmp_path / "ears") == OWN_CLIP
    assert adapter_target(tmp_path) is None
    torch.testing.assert_close(load_adapter(tmp_path / "ears")(sounds), adapter(sounds))
