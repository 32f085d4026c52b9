"""YAMNet in torch against numbers of the TFLite interpreter, recorded on sounds made by formula."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from audio.hearing.ears import load_ears
from audio.hearing.yamnet import PATCH_SAMPLES, SCORES, Yamnet, log_mel_patches
from multimodal.files.bundled import HOME
from tests.audio.hearing.made_sounds import made_sounds

NUMBERS = Path(__file__).parent / "yamnet_numbers.npz"


@pytest.fixture(scope="module")
def trunk() -> Yamnet:
    return load_ears(HOME / "default" / "sound").trunk


@torch.no_grad()
def test_scores_and_embeddings_are_the_interpreters(trunk: Yamnet) -> None:
    known = np.load(NUMBERS)
    apart, likeness = [], []
    for index, sound in enumerate(made_sounds()):
        heard = trunk(torch.from_numpy(sound)[None], rounded=True)
        scores = SCORES(heard.scores)[0].mean(dim=0).numpy()
        apart.append(np.abs(scores[known["top"][index]] - known["scores"][index]).max())
        own, theirs = heard.embeddings[0].mean(dim=0).numpy(), known["embeddings"][index]
        theirs = theirs.astype(np.float32)
        likeness.append(own @ theirs / np.linalg.norm(own) / np.linalg.norm(theirs))
    # One step of the file's 8-bit logits is up to 0.077 of a score, and rounding may tip over.
    assert np.median(apart) <= 0.02
    assert np.mean(np.array(apart) <= 0.02) >= 0.7
    assert max(apart) <= 0.08
    assert min(likeness) >= 0.99


@torch.no_grad()
def test_a_batch_hears_what_each_sound_would(trunk: Yamnet) -> None:
    sounds = torch.randn(3, 20000, generator=torch.Generator().manual_seed(0)) * 0.1
    together = trunk(sounds)
    alone = trunk(sounds[1:2])
    torch.testing.assert_close(together.logits[1:2], alone.logits, atol=1e-3, rtol=1e-3)
    assert together.scores.shape == (3, 1, 521)


def test_gradients_reach_the_samples(trunk: Yamnet) -> None:
    sound = (torch.randn(1, PATCH_SAMPLES) * 0.1).requires_grad_(True)
    trunk(sound).logits.sum().backward()
    assert sound.grad is not None
    assert float(sound.grad.abs().sum()) > 0


def test_short_sounds_are_one_patch() -> None:
    assert log_mel_patches(torch.zeros(2, 100)).shape == (2, 1, 96, 64)
    assert log_mel_patches(torch.zeros(1, PATCH_SAMPLES + 48 * 160)).shape == (1, 2, 96, 64)
