"""Speech to words, offline: PocketSphinx (Huggins-Daines et al. 2006) that expects some sentences.

The acoustic model is the wheel's own (US English, BSD licence); the language model is a trigram of
the sentences that can be said. A recording is recognised at three paces, a noisy one also with its
noise taken off; of the common sentences whose phones are nearest to what was found, the one that
fits the recording best when it is aligned with it is taken to be said, unless it is not near. Words
may be said as in Britain, without an r.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr
from functools import lru_cache
from io import StringIO
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torchaudio

from audio.io import RATE, SoundSource, load_sound
from audio.speech.denoise import denoised, signal_to_noise
from audio.speech.nearest import VOWELS, NearestSentence
from audio.speech.types import LONGEST_S, Heard

MOST_DOUBT = 1.1
"""Doubt from which nothing of what was heard is believed: how far its phones are from the sentence,
as a share of its length, with the noise or without, and how badly the sentence fits each second of
the recording."""

UNFIT = 4.0
"""What the second counts against the first."""

PACES = (1.0, 0.92, 1.08)
"""A recording is recognised at each; a noisy one with its noise and without."""

NOISY = 26.0
"""Decibels that speech is above its quietest moments by, below which it counts as noisy: a filter
harms what is clean."""

LOUDNESS = 0.08
"""Root mean square that a recording is brought to."""

COMMON = 2
"""How often the common sentences are told to the language model; the drawn ones once."""

ODD = 0.08
"""What a sentence that is not among the common ones must be nearer by."""

WEIGHT = 10.0
"""Of the sentences that are expected, against the sounds that are heard."""

UNSEEN = 0.1
"""Share of the language model's belief that is kept for words that no sentence has in a row: said
sentences are the grammar's, so less than is usual in dictation."""

NOISE = 1e-3
"""Of a quiet room, where a recording has none: the acoustic model knows no perfect silence."""

CENTRING = ("IH", "IY", "EH", "UH")
"""Vowels after which a silent r leaves a sound: beard, hair, sure."""

UNLIKELY = 1e-4
"""What a sentence that cannot be aligned with a recording fits it."""

PAUSE_S = 0.25
"""Silence put around what was said: the recogniser begins and ends in it."""


class SphinxReader:
    """Reads speech.

    Args:
        sentences: what can be said; its words must be among the recogniser's.
        common: what is said most, each sentence once.

    Raises:
        ValueError: PocketSphinx is not installed.
    """

    most_doubt = MOST_DOUBT

    def __init__(self, sentences: Sequence[str], common: Sequence[str]) -> None:
        sphinx = _sphinx()
        every = [*sentences, *common]
        words = {word for sentence in every for word in sentence.split()}
        with TemporaryDirectory() as folder:
            model, dictionary = Path(folder) / "wishes.arpa", Path(folder) / "wishes.dict"
            _write_model([*sentences, *(text for _ in range(COMMON) for text in common)], model)
            dictionary.write_text("".join(_pronounced(words)), encoding="utf-8")
            given = {"lm": None, "dict": str(dictionary), "loglevel": "FATAL", "lw": WEIGHT}
            self._decoder = sphinx.Decoder(**given)
            self._decoder.add_lm_file("wishes", str(model))
        self._pairs = {pair for sentence in every for pair in _pairs(sentence)}
        self._common = NearestSentence(common, phones_of)

    def read(self, sound: SoundSource) -> Heard:
        """The words that were said.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a sound, or silence.
        """
        samples = load_sound(sound, LONGEST_S).samples
        noisy = signal_to_noise(samples) < NOISY
        sources = [samples, denoised(samples)] if noisy else [samples]
        versions = [[_pcm(_paced(_levelled(one), pace)) for pace in PACES] for one in sources]
        paced = [pcm for pcms in versions for pcm in pcms]
        read = [[text for pcm in pcms if (text := self._recognised(pcm))] for pcms in versions]
        found = [text for texts in read for text in texts]
        if not found:
            return Heard("", float("inf"))
        text, far = self._common.find(found, lambda sentences: self._fits(paced, sentences))
        said = found[0]
        if said != text and not self._strange(said):
            fits = self._fits(paced, [said, text])
            if _far(said, found) + ODD < far and fits[0] > fits[1]:
                text = said
        far = min(_far(text, texts) for texts in read if texts)
        unfit = -float(self._fits(paced, [text])[0]) / (len(samples) / RATE + 2 * PAUSE_S)
        return Heard(text, far + UNFIT * unfit)

    def _recognised(self, pcm: bytes) -> str:
        self._decoder.activate_search("wishes")
        found = self._decoded(pcm)
        return "" if found is None else str(found.hypstr)

    def _decoded(self, pcm: bytes) -> Any:
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        return self._decoder.hyp()

    def _fit(self, pcm: bytes, sentence: str) -> float:
        """How likely a recording sounds when this is said, as a logarithm."""
        self._decoder.set_align_text(sentence)
        found = self._decoded(pcm)
        whole = found is not None and found.hypstr.split() == sentence.split()
        return float(np.log(max(found.score, UNLIKELY))) if whole else float(np.log(UNLIKELY))

    def _fits(self, paced: Sequence[bytes], sentences: Sequence[str]) -> np.ndarray:
        """The same of some sentences, of the version of it that one of them fits best."""
        fits = np.array([[self._fit(pcm, sentence) for sentence in sentences] for pcm in paced])
        best: np.ndarray = fits[int(fits.max(axis=1).argmax())]
        return best

    def _strange(self, text: str) -> bool:
        """Do any two words follow each other in it as in no sentence?"""
        return any(pair not in self._pairs for pair in _pairs(text))


def _far(sentence: str, found: Sequence[str]) -> float:
    """How far a sentence is from some recognitions, as a share of its length."""
    return NearestSentence([sentence], phones_of).find(found)[1]


def _pcm(samples: np.ndarray) -> bytes:
    """A recording in a quiet room, in 16 bits, with a pause around it."""
    pause = np.zeros(round(PAUSE_S * RATE), np.float32)
    noise = np.random.default_rng(0).normal(0, NOISE, len(samples) + 2 * len(pause))
    whole = np.concatenate([pause, samples, pause]) + noise
    return bytes((whole.clip(-1, 1) * 32767).astype(np.int16).tobytes())


def _levelled(samples: np.ndarray) -> np.ndarray:
    """A recording brought to `LOUDNESS`."""
    levelled: np.ndarray = samples * (LOUDNESS / max(float(np.sqrt((samples**2).mean())), 1e-6))
    return levelled


def _paced(samples: np.ndarray, pace: float) -> np.ndarray:
    """A recording slowed down (above 1) or sped up, pitch and all."""
    if pace == 1.0:
        return samples
    sound = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    return np.asarray(torchaudio.functional.resample(sound, RATE, round(RATE * pace)).numpy())


def phones_of(sentence: str) -> list[str]:
    """A sentence's phones by the recogniser's dictionary, each word's commonest way to say it."""
    return [phone for word in sentence.split() for phone in _dictionary()[word][0].split()[1:]]


def _pairs(sentence: str) -> list[tuple[str, str]]:
    return list(pairwise(("<s>", *sentence.split(), "</s>")))


def sayable(word: str) -> bool:
    """Can the recogniser pronounce a word?"""
    return word in _dictionary()


@lru_cache(maxsize=1)
def _dictionary() -> dict[str, tuple[str, ...]]:
    """Words to the lines of the recogniser's dictionary that pronounce them."""
    found: dict[str, tuple[str, ...]] = {}
    path = Path(_sphinx().get_model_path("en-us/cmudict-en-us.dict"))
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        word = line.partition(" ")[0].partition("(")[0]
        found[word] = (*found.get(word, ()), line)
    return found


def _pronounced(words: Iterable[str]) -> list[str]:
    """Lines of a dictionary: every word as the recogniser knows it, and as it is said in Britain
    where that differs."""
    out = []
    for word in sorted(words):
        lines = _dictionary()[word]
        own = {tuple(line.split()[1:]) for line in lines}
        more = sorted({without_r(phones) for phones in own} - own)
        numbered = enumerate(more, len(lines) + 1)
        out += [*lines, *(f"{word}({i}) {' '.join(phones)}\n" for i, phones in numbered)]
    return out


def without_r(phones: Sequence[str]) -> tuple[str, ...]:
    """Phones as those say them who sound an r before vowels only (Wells 1982)."""
    out: list[str] = []
    for phone, after in pairwise((*phones, "")):
        silent = after not in VOWELS
        if phone == "ER":
            out += ["AH"] if silent else ["AH", "R"]
        elif phone == "R" and silent and out and out[-1] in VOWELS:
            out += ["AH"] if out[-1] in CENTRING else []
        else:
            out.append(phone)
    return tuple(out)


def _write_model(sentences: Sequence[str], path: Path) -> None:
    """A trigram model of sentences as an ARPA file."""
    from pocketsphinx.lm import ArpaBoLM

    text = "".join(f"<s> {sentence} </s>\n" for sentence in sentences)
    model = ArpaBoLM(text=text, discount_mass=UNSEEN)
    with redirect_stderr(StringIO()):
        model.compute()
    model.write_file(str(path))


def _sphinx() -> Any:
    try:
        import pocketsphinx
    except ImportError as error:
        raise ValueError("spoken wishes need PocketSphinx: pip install pocketsphinx") from error
    return pocketsphinx
