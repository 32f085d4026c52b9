"""Ears: YAMNet hears, a head puts what is heard into words, words are points in the texts' space.

Every kind of sound is a word with a vector in the sentence space. How much of each is heard follows
from YAMNet's scores, each held against how high it goes where the word is *not* heard, sharpened by
a learnt factor; a small learnt residual speaks for the words that there were recordings of. The sum
of the words' vectors is the sound's place among texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from audio.hearing.heard import SURE, Heard
from audio.hearing.voices import (
    VoiceReader,
    load_readers,
    speaker_shares,
    speakers,
    voice_features,
)
from audio.hearing.words import Word, all_words, audioset_classes
from audio.hearing.yamnet import PATCH_SAMPLES, WIDTH, Patches, Yamnet
from multimodal.files.weights import atomic

WEIGHTS, CONFIG = "ears.safetensors", "ears.json"
SENTENCE = 384
HALF_HOP = 24
"""Frames of 10 ms between the moments of a sound over time: 0.24 s."""

SCALE = ".scale"
LIMIT = 9.0
"""Logits beyond this say no more."""

SILENCE = "Silence"
FAINTEST = 0.05
"""Shares of what is heard below this are not told."""


@dataclass(frozen=True)
class EarsConfig:
    """Shape of the head.

    Args:
        words: how many; those of `all_words`, in their order, then `speakers`.
        dim: size of the space of sentences.
        rank: of the residual; 0 for none.
    """

    words: int
    dim: int = SENTENCE
    rank: int = 16


class Head(nn.Module):
    """From what YAMNet hears to words.

    Args:
        words: what YAMNet's classes are called; the speakers are words too, but of no class.
        config: its shape.
    """

    word_of: Tensor
    names: Tensor
    looks: Tensor
    usual: Tensor

    def __init__(self, words: Sequence[Word], config: EarsConfig) -> None:
        super().__init__()
        count, names = len(words), audioset_classes()
        word_of = {sound: row for row, word in enumerate(words) for sound in word.sounds}
        index = torch.tensor([word_of[name] for name in names])
        self.register_buffer("word_of", index, persistent=False)
        self.register_buffer("names", torch.zeros(config.words, config.dim))
        self.register_buffer("looks", torch.zeros(config.words, config.dim))
        self.register_buffer("usual", torch.zeros(count))
        self.sharpness = nn.Parameter(torch.tensor(1.0))
        self.bonus = nn.Parameter(torch.zeros(count))
        self.down = nn.Linear(WIDTH, config.rank)
        self.up = nn.Linear(config.rank, count, bias=False)
        nn.init.zeros_(self.up.weight)

    def evidence(self, patches: Patches) -> Tensor:
        """How much more of each word is heard than where it is not, `[B, N, W]`, in logits."""
        taught = self.up(torch.tanh(self.down(patches.embeddings)))
        return self.plain(patches.logits) - self.usual + self.bonus + taught

    def plain(self, logits: Tensor) -> Tensor:
        """The largest logit of each word's classes: `[B, N, 521]` -> `[B, N, W]`."""
        classes = logits.clamp(-LIMIT, LIMIT)
        lowest = classes.new_full((*classes.shape[:-1], len(self.usual)), -LIMIT)
        return lowest.scatter_reduce(-1, self.word_of.expand_as(classes), classes, "amax")

    def shares(self, evidence: Tensor) -> Tensor:
        """Shares of the words in what is heard, `[..., W]`, which add up to 1."""
        return (self.sharpness * evidence).softmax(dim=-1)


def pooled(evidence: Tensor) -> Tensor:
    """Evidence over patches `[B, N, W]` as one, `[B, W]`: nearer to the loudest than to the mean,
    since a sneeze is short."""
    return evidence.logsumexp(dim=1) - torch.tensor(float(evidence.shape[1])).log()


class Ears(nn.Module):
    """Sounds to shares of words, and to the texts' space.

    Args:
        config: shape of the head.
        words: what can be heard; `all_words` when None.
        trunk: hears; a fresh network when None.
        readers: tell who speaks, and how.
    """

    faces: Tensor
    voices: Tensor

    def __init__(
        self,
        config: EarsConfig | None = None,
        words: Sequence[Word] | None = None,
        trunk: Yamnet | None = None,
        readers: Sequence[VoiceReader] = (),
    ) -> None:
        super().__init__()
        listed = tuple(words or all_words())
        self.words = (*listed, *speakers())
        self.config = config or EarsConfig(len(self.words))
        if self.config.words != len(self.words):
            raise ValueError(f"{self.config.words} words are stored, {len(self.words)} known")
        self.trunk = trunk or Yamnet()
        self.head = Head(listed, self.config)
        self.readers = nn.ModuleList(readers)
        self.register_buffer("faces", self._marked(lambda w: w.face is not None), persistent=False)
        self.register_buffer("voices", self._marked(lambda w: w.voice), persistent=False)

    def listen(self, samples: Tensor) -> Tensor:
        """Shares `[B, W]` of the words in what is heard in sounds `[B, T]`; they add up to 1."""
        patches = self.trunk(_level(samples))
        heard = self.head.shares(pooled(self.head.evidence(patches)))
        return self._with_speakers(heard, samples, patches)

    def over_time(self, samples: Tensor, hop: int = HALF_HOP) -> Tensor:
        """As `listen`, of every moment of one sound `[1, T]`: `[N, W]`; moment k is at k hops of
        10 ms. Who speaks is asked of the whole."""
        padded = F.pad(_level(samples), (PATCH_SAMPLES // 2, PATCH_SAMPLES // 2))
        patches = self.trunk(padded, hop)
        return self._with_speakers(
            self.head.shares(self.head.evidence(patches))[0], samples, patches
        )

    def nothing(self) -> Tensor:
        """As `listen`, of one sound in which there is nothing."""
        return self._marked(lambda w: SILENCE in w.sounds).to(self.faces)[None]

    def clear(self, shares: Tensor) -> Tensor:
        """Shares `[B, W]` of faces alone where a face makes most of what is heard; others as they
        are."""
        made = shares * self.faces
        whole = made.sum(dim=1, keepdim=True)
        return torch.where(whole >= SURE, made / whole.clamp(min=1e-9), shares)

    def face_share(self, shares: Tensor) -> Tensor:
        """Share `[B]` of what a face makes in shares of the words `[B, W]`."""
        return (shares * self.faces).sum(dim=-1)

    def hear(self, samples: Tensor) -> Tensor:
        """Unit vectors `[B, D]` in the sentence space of sounds `[B, T]` at 16 kHz."""
        return F.normalize(self.clear(self.listen(samples)) @ self.head.names, dim=-1)

    @torch.no_grad()
    def told(self, shares: Tensor, count: int = 5) -> Heard:
        """Shares of the words `[W]` of one sound, or moment, in words."""
        sounds = _best(shares, [word.name for word in self.words], count)
        face = float(self.face_share(shares))
        looks = [word.face or "" for word in self.words]
        meant = self.clear(shares[None])[0]
        return Heard(sounds, _best(meant, looks, count) if face >= SURE else (), face)

    def _with_speakers(self, heard: Tensor, samples: Tensor, patches: Patches) -> Tensor:
        """Shares `[B, W]` of all words for those of YAMNet's `[B, W']`: where somebody can tell,
        "a person speaking" becomes who speaks, and how."""
        count = len(self.words) - heard.shape[1]
        spoken = heard * self.voices[: heard.shape[1]]
        speaking = spoken.sum(dim=1, keepdim=True)
        if not len(self.readers) or float(speaking.max()) < FAINTEST:
            return torch.cat([heard, heard.new_zeros(len(heard), count)], dim=1)
        features = voice_features(samples, patches)
        answers: dict[str, Tensor] = {}
        for reader in self.readers:
            answers |= reader(features)
        return torch.cat([heard - spoken, speaking * speaker_shares(answers)], dim=1)

    def _marked(self, is_so: Callable[[Word], bool]) -> Tensor:
        return torch.tensor([float(is_so(word)) for word in self.words])


def _best(shares: Tensor, names: Sequence[str], count: int) -> tuple[tuple[str, float], ...]:
    """Names by falling share, without the faint ones; at least one."""
    values, order = shares.topk(min(count, len(names)))
    found = [(names[i], float(v)) for v, i in zip(values, order.tolist(), strict=True)]
    return tuple(found[:1] + [one for one in found[1:] if one[1] >= FAINTEST])


def _level(samples: Tensor) -> Tensor:
    """Sounds `[B, T]` with a peak of 0.8."""
    peak = samples.abs().amax(dim=1, keepdim=True).clamp(min=1e-6)
    return samples.float() * (0.8 / peak)


def save_ears(ears: Ears, folder: Path, notes: Mapping[str, object]) -> None:
    """Write trunk and head, half precision where it costs nothing, and what they saw (`notes`)."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {k: v for k, v in ears.state_dict().items() if not k.startswith("readers.")}
    ready: dict[str, Tensor] = {}
    for name, value in kept.items():
        ready |= _stored(name, value)
    with atomic(folder / WEIGHTS) as part:
        save_file(ready, part)
    about = {
        "head": vars(ears.config),
        "words": [word.name for word in ears.words],
        "notes": dict(notes),
    }
    with atomic(folder / CONFIG) as part:
        part.write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def _stored(name: str, value: Tensor) -> dict[str, Tensor]:
    """A tensor as it is kept: YAMNet's kernels in the 8 bits that they came in, exactly; other
    matrices in half precision."""
    if value.ndim < 2:
        return {name: value.contiguous()}
    rows = value.flatten(1)
    scale = rows.abs().amax(dim=1) / 127
    steps = (rows / scale.clamp(min=1e-12)[:, None]).round()
    if float((steps * scale[:, None] - rows).abs().max()) > 1e-4 * float(rows.abs().max()):
        return {name: value.half().contiguous()}
    return {name: steps.to(torch.int8).view_as(value).contiguous(), name + SCALE: scale}


def _read(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `_stored` kept, as numbers."""
    out = {}
    for name, value in tensors.items():
        scale = tensors.get(name + SCALE)
        if scale is not None:
            value = value.float() * scale.view(-1, *([1] * (value.ndim - 1)))
        if not name.endswith(SCALE):
            out[name] = value.float()
    return out


def load_ears(folder: Path | str, device: torch.device | str = "cpu") -> Ears:
    """Read what `save_ears` wrote, with the voice readers beside it.

    Raises:
        FileNotFoundError: the folder has no ears.
        ValueError: files that do not fit each other, or other words than `words.toml` has.
    """
    folder = Path(folder)
    if not (folder / WEIGHTS).is_file() or not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"no {WEIGHTS} with {CONFIG} in {folder}")
    try:
        about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        ears = Ears(EarsConfig(**about["head"]))
        if about["words"] != [word.name for word in ears.words]:
            raise ValueError("made for other words than audio/hearing/words.toml has")
        ears.load_state_dict(_read(load_file(folder / WEIGHTS)))
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{folder / WEIGHTS} cannot be read: {error}") from error
    ears.readers = nn.ModuleList(load_readers(folder))
    return ears.to(device).eval().requires_grad_(False)
