"""Words that the vocabulary lacks, by their meaning."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from guidance.clip import random_clip
from guidance.common import save_tensors
from guidance.wishes.meaning import FILE, WordMeaning, load_meaning, load_related
from guidance.wishes.reader import read_wishes

SENSES = (("expression", "smile"), ("hair_color", "black"))


class _Sentences:
    """A text tower whose vectors count letters."""

    has_sentences = True

    def pooled(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[float(t.count(c)) + 0.1 for c in "abcdefgr"] for t in texts])

    def project_sentence(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(vectors[:, :4], dim=1)


def _meaning(clip: _Sentences) -> WordMeaning:
    from guidance.wishes.meaning import PROBE, word_vectors

    source = torch.Generator().manual_seed(0)
    probe = word_vectors(clip, [PROBE])[0]
    inner = torch.randn(len(probe), 4, generator=source)
    weight = torch.randn(4, 3, generator=source)
    mean = torch.zeros(len(probe))
    return WordMeaning(inner, torch.zeros(4), weight, torch.zeros(3), mean, probe, SENSES, clip)


def test_chances_and_attributes() -> None:
    meaning = _meaning(_Sentences())
    every = meaning("raven")
    assert {sense for sense, _ in every} == set(SENSES)
    assert every[0][1] >= every[1][1]
    assert sum(chance for _, chance in every) <= 1.0
    only = meaning("raven", ("hair_color",))
    assert only == [one for one in every if one[0][0] == "hair_color"]


def test_files(tmp_path: Path) -> None:
    clip = _Sentences()
    path = _meaning(clip).save(tmp_path / "meaning.safetensors")
    found = load_meaning(clip, path)
    assert found is not None
    assert [sense for sense, _ in found("a bear")] == [s for s, _ in _meaning(clip)("a bear")]
    assert load_meaning(clip, tmp_path / "none") is None
    save_tensors(tmp_path / "odd.safetensors", {"a": torch.zeros(1)}, {"kind": "delta"})
    with pytest.raises(ValueError, match="does not hold meanings"):
        load_meaning(clip, tmp_path / "odd.safetensors")


def test_another_clip_has_none() -> None:
    assert load_meaning(random_clip(seed=0)) is None
    if FILE.is_file():
        assert load_meaning(_Sentences()) is None


def test_words_of_wordnet_that_the_vocabulary_lacks() -> None:
    related = load_related()
    wanted = {"matronly": "female", "cantankerous": "angry", "mirthless": "neutral"}
    wanted |= {"snooze": "eyes_closed", "loathsome": "disgusted"}
    for word, value in wanted.items():
        assert related(word)[0][0][1] == value, word
    assert related("democracy") == [] or related("democracy")[0][1] < 0.5
    assert not read_wishes("a spaceship", meaning=related).wishes


def test_odds_files_and_parts_of_phrases(tmp_path: Path) -> None:
    path = tmp_path / "related.toml"
    path.write_text('"expression: sad" = "woebegone:20 in_tears:5"\n"age: old" = "fusty:-60"\n')
    related = load_related(path=path)
    (sense, sure), *_ = related("woebegone")
    assert sense == ("expression", "sad")
    assert sure > 0.9
    assert related("in tears")[0][0] == ("expression", "sad")
    assert 0.5 < related("woebegone squire")[0][1] < sure
    assert related("woebegone", ("age",)) == []
    assert related("fusty")[0][1] < 0.5
    found = read_wishes("a woebegone man", meaning=related)
    assert {wish.sense for wish in found.wishes} == {("expression", "sad"), ("sex", "male")}
