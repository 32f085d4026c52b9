"""From what was heard to the space of a CLIP: adapters and the `SoundEmbedder` the editor holds.

The bundled encoder names a sound as a MiniLM sentence vector. The bundled CLIP projects such
vectors itself; for any other CLIP a small adapter is fitted on texts alone, from their sentence
vectors to the vectors that CLIP gives them, and the sound encoder stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from audio.encoder import load_encoder
from audio.envelope import SoundTrack, moments_track, sound_track
from audio.hearing.ears import HALF_HOP, WEIGHTS, Ears, load_ears
from audio.hearing.heard import Heard
from audio.io import SilentSound, SoundSource, load_sound
from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.tensors import read_tensors
from multimodal.files.weights import atomic

ADAPTER, ADAPTER_CONFIG = "sound_adapter.safetensors", "sound_adapter.json"
OWN_CLIP = "own"
"""Says of an adapter that it leads to the CLIP of the encoder's own model."""
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
LONGEST_S = 30.0


class Hearing(Protocol):
    """A sound encoder: sounds `[B, T]` at 16 kHz to unit vectors `[B, D]` of its own space."""

    def hear(self, samples: Tensor) -> Tensor:
        """Sounds `[B, T]` to unit vectors `[B, D]`."""
        ...


LOOKS = 0.7
"""Share of a face's wording, against the sound's name, in what an edit aims at: the least at which
each wording of `words.toml` is read as the expression that it names."""

MEANT = 0.5
"""Share of the strongest word's from which another word is meant by a sound too."""

NEARNESS = 0.08
"""How much farther a word may lie from a text, in cosine, for a logit more of its evidence."""

Projection = Callable[[Tensor], Tensor]
"""Unit vectors `[B, D]` of an encoder's space to unit vectors `[B, E]` of a CLIP's."""


class Adapter(nn.Module):
    """A learned projection `[B, D]` -> unit `[B, E]`: linear, or with one hidden layer."""

    def __init__(self, inside: int, outside: int, hidden: int = 0) -> None:
        super().__init__()
        self.shape = (inside, outside, hidden)
        self.linear = nn.Linear(inside, outside)
        self.extra: nn.Module | None = None
        if hidden:
            self.extra = nn.Sequential(
                nn.Linear(inside, hidden), nn.GELU(), nn.Linear(hidden, outside)
            )

    def forward(self, heard: Tensor) -> Tensor:
        """Linear part plus what the hidden layer adds, normalised."""
        heard = F.normalize(heard.to(self.linear.weight), dim=-1)
        out = self.linear(heard)
        return F.normalize(out if self.extra is None else out + self.extra(heard), dim=-1)


def fit_adapter(
    sentences: Tensor,
    targets: Tensor,
    hidden: int = 0,
    steps: int = 600,
    seed: int = 0,
    on_step: Callable[[int, int, float], None] | None = None,
) -> tuple[Adapter, float]:
    """Fit an adapter on pairs of the same texts in both spaces.

    A ridge regression in closed form, its strength chosen on a tenth of the pairs that is held
    out; with `hidden`, a hidden layer then learns what the line leaves.

    Args:
        sentences: `[N, D]`, MiniLM vectors.
        targets: `[N, E]`, the CLIP's text vectors.
        hidden: channels of the hidden layer (0: none).
        steps: optimiser steps of the hidden layer.
        seed: of the held-out choice and the hidden layer.
        on_step: called with (step, steps, loss).

    Returns:
        The adapter and the mean cosine on held-out pairs.

    Raises:
        ValueError: fewer than 20 pairs, counts that differ, values that are not finite.
    """
    x, y = _pairs(sentences, targets)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    held, kept = order[: max(2, len(x) // 10)], order[max(2, len(x) // 10) :]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapter = Adapter(x.shape[1], y.shape[1], hidden)
    if adapter.extra is not None:
        nn.init.zeros_(adapter.extra[-1].weight)  # type: ignore[index]
        nn.init.zeros_(adapter.extra[-1].bias)  # type: ignore[index]
    scores = {
        r: _score(_set_line(adapter, *_ridge(x[kept], y[kept], r)), x, y, held) for r in RIDGES
    }
    _set_line(adapter, *_ridge(x[kept], y[kept], max(scores, key=lambda r: scores[r])))
    if hidden:
        _polish(adapter, x[kept], y[kept], steps, on_step)
    return adapter.eval().requires_grad_(False), _score(adapter, x, y, held)


def _pairs(sentences: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    if sentences.ndim != 2 or targets.ndim != 2 or len(sentences) != len(targets):
        shapes = f"{list(sentences.shape)} and {list(targets.shape)}"
        raise ValueError(f"sentences and targets must be [N, D] and [N, E], got {shapes}")
    if len(sentences) < 20:
        raise ValueError(f"{len(sentences)} pairs of texts are too few; give at least 20")
    if not (sentences.isfinite().all() and targets.isfinite().all()):
        raise ValueError("the text vectors hold values that are not finite")
    return F.normalize(sentences.float(), dim=-1), F.normalize(targets.float(), dim=-1)


def _ridge(x: Tensor, y: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Weights `[E, D]` and bias `[E]` of least squares with a penalty on the weights."""
    mean_x, mean_y = x.mean(dim=0), y.mean(dim=0)
    a = (x - mean_x).double()
    gram = a.T @ a + strength * torch.eye(x.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(gram, a.T @ (y - mean_y).double()).T.float()
    return weight, mean_y - weight @ mean_x


@torch.no_grad()
def _set_line(adapter: Adapter, weight: Tensor, bias: Tensor) -> Adapter:
    adapter.linear.weight.copy_(weight)
    adapter.linear.bias.copy_(bias)
    return adapter


@torch.no_grad()
def _score(adapter: Adapter, x: Tensor, y: Tensor, held: Tensor) -> float:
    return float((adapter(x[held]) * y[held]).sum(dim=1).mean())


def _polish(
    adapter: Adapter,
    x: Tensor,
    y: Tensor,
    steps: int,
    on_step: Callable[[int, int, float], None] | None,
) -> None:
    optimiser = torch.optim.AdamW(adapter.extra.parameters(), 3e-3, weight_decay=0.01)  # type: ignore[union-attr]
    for step in range(steps):
        loss = (1 - (adapter(x) * y).sum(dim=1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if on_step is not None:
            on_step(step + 1, steps, float(loss.detach()))


def save_adapter(adapter: Adapter, folder: Path, clip: str) -> None:
    """Write the adapter beside a sound encoder; `clip` names the CLIP it leads to."""
    with atomic(folder / ADAPTER) as part:
        save_file({k: v.contiguous() for k, v in adapter.state_dict().items()}, part)
    with atomic(folder / ADAPTER_CONFIG) as part:
        part.write_text(json.dumps({"shape": adapter.shape, "clip": clip}) + "\n", "utf-8")


def load_adapter(folder: Path | str) -> Adapter:
    """Read what `save_adapter` wrote.

    Raises:
        FileNotFoundError: the folder has no adapter.
        ValueError: files that do not fit each other.
    """
    folder = Path(folder)
    if not (folder / ADAPTER).is_file() or not (folder / ADAPTER_CONFIG).is_file():
        raise FileNotFoundError(f"no {ADAPTER} with {ADAPTER_CONFIG} in {folder}")
    try:
        shape = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))["shape"]
        tensors = read_tensors(folder / ADAPTER)
        with within(tensors, ADAPTER_CONFIG):
            adapter = Adapter(*(int(n) for n in shape))
        adapter.load_state_dict(tensors)
    except (KeyError, OverflowError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{folder / ADAPTER} cannot be read: {error}") from error
    return adapter.eval().requires_grad_(False)


def adapter_target(folder: Path | str) -> str | None:
    """The CLIP that a folder's adapter leads to, as `save_adapter` was told; None without one."""
    if not (Path(folder) / ADAPTER).is_file():
        return None
    try:
        described = json.loads((Path(folder) / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        return str(described["clip"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{Path(folder) / ADAPTER_CONFIG} cannot be read: {error}") from error


def speaking_for(shares: Tensor, names: Tensor, texts: Tensor) -> Tensor:
    """Evidence of texts `[B, C]`, in logits: each has that of the likeliest word near it.

    Args:
        shares: of the words in what is heard, `[B, W]`.
        names: the words' unit vectors `[W, E]`.
        texts: the texts' `[C, E]`.
    """
    near = (names @ texts.T - 1) / NEARNESS
    return (shares.clamp(min=1e-12).log()[:, :, None] + near).amax(dim=1)


class SoundEmbedder:
    """What the editor calls: sounds to unit vectors in the chosen CLIP's space.

    Args:
        encoder: hears (`audio.hearing.ears.Ears`, or another of `audio.registry`).
        project: leads to the CLIP's space: an `Adapter`, `clip.project_sentence` of the bundled
            CLIP, or None where the encoder already speaks that space.
    """

    def __init__(self, encoder: Hearing, project: Projection | None = None) -> None:
        self.encoder = encoder
        self.project = project

    @classmethod
    def from_dir(
        cls,
        folder: Path | str,
        clip: Any = None,
        device: torch.device | str = "cpu",
        adapter: Path | str | None = None,
    ) -> SoundEmbedder:
        """The bundled encoder of a folder; through an adapter (in `adapter`, or beside the
        encoder), else through the CLIP's own projection of sentences (`clip.project_sentence`),
        else in the sentence space."""
        folder = Path(folder)
        project: Projection | None = getattr(clip, "project_sentence", None)
        beside = folder if adapter is None else Path(adapter)
        if (beside / ADAPTER).is_file():
            project = load_adapter(beside).to(device)
        ears = (folder / WEIGHTS).is_file()
        hears = load_ears(folder, device) if ears else load_encoder(folder, device)
        return cls(hears, project)

    def sentence(self, sound: SoundSource) -> Tensor:
        """What was heard as a unit vector `[1, D]` of the encoder's own space."""
        return self.encoder.hear(load_sound(sound, LONGEST_S).tensor())

    @torch.no_grad()
    def embed(self, sound: SoundSource) -> Tensor:
        """Unit `[1, E]` of a path, bytes or (rate, samples): what is heard, named. Errors are
        `load_sound`'s, but ears hear silence too."""
        if isinstance(self.encoder, Ears):
            return self._summed(self._listened(self.encoder, sound))
        return self._lead(self.sentence(sound))

    @torch.no_grad()
    def aim(self, sound: SoundSource) -> Tensor:
        """As `embed`, of the face that makes the sound: what an edit by it aims at. The words that
        there is most evidence of are meant, the others are doubt and no wish."""
        ears = self.encoder
        if not isinstance(ears, Ears):
            return self.embed(sound)
        shares = ears.clear(self._listened(ears, sound))
        meant = shares * (shares >= MEANT * shares.amax(dim=1, keepdim=True))
        return F.normalize(meant @ self._looks(ears).to(meant), dim=-1)

    @torch.no_grad()
    def evidence(self, sound: SoundSource, texts: Tensor) -> Tensor | None:
        """How much of a sound speaks for each of some texts, `[1, C]`, in logits; None of an
        encoder that knows no words.

        A text is as likely as the likeliest word near it. In the vector of `embed` all that is
        faintly heard pulls at what is heard; here it does not.

        Args:
            sound: as of `embed`.
            texts: unit vectors `[C, E]` in the space of `embed`.
        """
        ears = self.encoder
        if not isinstance(ears, Ears):
            return None
        shares = self._listened(ears, sound)
        return speaking_for(shares, self._lead(ears.head.names).to(shares), texts.to(shares))

    @torch.no_grad()
    def heard(self, sound: SoundSource) -> Heard | None:
        """What was heard, in words; None of an encoder that knows no words. Errors as `embed`."""
        ears = self.encoder
        return ears.told(self._listened(ears, sound)[0]) if isinstance(ears, Ears) else None

    @torch.no_grad()
    def moments(self, sound: SoundSource) -> tuple[float, list[Heard]]:
        """What was heard from moment to moment: seconds between moments, and each one's words; none
        of an encoder that knows no words."""
        if not isinstance(self.encoder, Ears):
            return HALF_HOP / 100, []
        samples = load_sound(sound, trim=False).tensor().to(self.encoder.faces.device)
        return HALF_HOP / 100, [self.encoder.told(row) for row in self.encoder.over_time(samples)]

    @torch.no_grad()
    def track(self, sound: SoundSource, fps: float = 25.0) -> SoundTrack:
        """Aims and loudness of every video frame, see `audio.envelope`."""
        whole = load_sound(sound, trim=False)
        ears = self.encoder
        if isinstance(ears, Ears):
            shares = ears.over_time(whole.tensor().to(ears.faces.device))
            aims = F.normalize(ears.clear(shares) @ self._looks(ears).to(shares), dim=-1)
            return moments_track(aims, ears.face_share(shares), whole, HALF_HOP / 100, fps)
        return sound_track(lambda x: self._lead(ears.hear(x)), whole, fps)

    @staticmethod
    def _listened(ears: Ears, sound: SoundSource) -> Tensor:
        """Shares `[1, W]` of the words in a sound."""
        try:
            return ears.listen(load_sound(sound, LONGEST_S).tensor().to(ears.faces.device))
        except SilentSound:
            return ears.nothing()

    def _summed(self, shares: Tensor) -> Tensor:
        """Shares of words `[B, W]` as unit `[B, E]`: each word's vector is led to the CLIP's space
        for itself, where a sum of texts is what a mixture of texts is."""
        assert isinstance(self.encoder, Ears)
        return F.normalize(
            self.encoder.clear(shares) @ self._lead(self.encoder.head.names).to(shares), dim=-1
        )

    def _looks(self, ears: Ears) -> Tensor:
        """Where the face of each word is, `[W, E]`: near its wording, but not far from the sound's
        name, so that a cough's open mouth is still a cough's."""
        looks = self._lead(ears.head.looks)
        return F.normalize(LOOKS * looks + (1 - LOOKS) * self._lead(ears.head.names), dim=-1)

    def _lead(self, heard: Tensor) -> Tensor:
        return heard if self.project is None else F.normalize(self.project(heard), dim=-1)
