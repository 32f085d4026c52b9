"""Make the ears: YAMNet's weights read, words given their vectors, the head taught.

    python -m recipes.sound.train_ears --assets ../shared/assets --out runs/ears

1. Every word gets its vector: the mean of its wordings in the sentence space.
2. `usual`: how high each word goes in clips where it is not heard, a quantile of each kind of
   clips, the kinds counting alike. No clip of a word itself is needed, so this serves all words.
3. A sharpness, and for the words that there are clips of a small bonus and residual, are learnt by
   InfoNCE (van den Oord et al. 2018) between what is heard and the words' vectors.
4. One number for all faces: how likely a face is, set so that few clips without one pass.

Only clips under permissive licences are used. Clips heard are kept, so a run that was stopped goes
on; everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from audio.hearing.ears import Ears, pooled, save_ears
from audio.hearing.words import Word
from audio.hearing.yamnet import Yamnet
from guidance.targets import FACE_TEMPLATES
from recipes.sound.data import licences, rows
from recipes.sound.heard_clips import HeardClips, clips_to_learn, hear_clips
from recipes.sound.read_yamnet import read_yamnet

PLAIN_TEMPLATES = ("{}", "the sound of {}")
"""For what has no face; what has one is said as texts are read, with `FACE_TEMPLATES`."""

TextEmbed = Callable[[list[str]], Tensor]


@dataclass(frozen=True)
class EarsTraining:
    """Settings of the head.

    Args:
        quantile: of a word's scores where it is not heard.
        steps: of the optimiser.
        rate: of learning.
        decay: weight of the squared bonus and residual in the loss; what keeps words that there are
            no clips of as they were.
        temperature: of the softmax over the words' vectors.
        passing: share of clips without a face that may be taken for one.
        mixtures: clips with another under them, for each clip.
    """

    quantile: float = 0.9
    steps: int = 100
    rate: float = 0.01
    decay: float = 5.0
    temperature: float = 0.06
    passing: float = 0.08
    mixtures: float = 0.5


def word_vectors(texts: Sequence[str], templates: Sequence[str], embed: TextEmbed) -> Tensor:
    """Unit vectors `[W, D]` of texts, each the mean over the templates it is said with."""
    out = []
    for text in texts:
        said = F.normalize(embed([t.replace("{}", text) for t in templates]), dim=-1)
        out.append(F.normalize(said.mean(dim=0), dim=-1))
    return torch.stack(out)


def usual_scores(
    evidence: Tensor, names: Sequence[Sequence[str]], kinds: Sequence[str], words: Sequence[Word],
    quantile: float,
) -> Tensor:  # fmt: skip
    """How high each word goes where it is not heard, `[W]`.

    Args:
        evidence: pooled, of N clips, `[N, W]`, with nothing taken off.
        names: what is right for each clip.
        kinds: kind of each clip; the kinds count alike.
        words: the W words.
        quantile: in [0, 1].
    """
    out = []
    for column, word in enumerate(words):
        found = []
        for kind in sorted(set(kinds)):
            pairs = zip(names, kinds, strict=True)
            rows_ = [i for i, (n, k) in enumerate(pairs) if k == kind and word.name not in n]
            if rows_:
                found.append(evidence[rows_, column].quantile(quantile))
        out.append(torch.stack(found).mean() if found else evidence[:, column].mean())
    return torch.stack(out)


def teach(
    ears: Ears, heard: HeardClips, settings: EarsTraining, seed: int,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
) -> None:  # fmt: skip
    """Learn sharpness, bonus and residual; what has no clips keeps its evidence."""
    head = ears.head
    index = {word.name: i for i, word in enumerate(ears.words[: len(head.usual)])}
    right = torch.zeros(len(heard.patches), len(ears.head.usual))
    for row, names in enumerate(heard.names):
        right[row, [index[name] for name in names]] = 1.0
    known = right.amax(dim=0)
    weights = _even(heard.kinds)
    down, vectors = head.down, head.names[: len(head.usual)]
    torch.manual_seed(seed)
    torch.nn.init.normal_(down.weight, std=0.05)
    learnt = [head.sharpness, head.bonus, head.down.weight, head.down.bias, head.up.weight]
    for parameter in learnt:
        parameter.requires_grad_(True)
    plain, embeddings, silent = _batched(ears, heard)
    optimiser = torch.optim.Adam(learnt, settings.rate)
    for step in range(settings.steps):
        taught = head.up(torch.tanh(head.down(embeddings)))
        evidence = (plain - head.usual + head.bonus + taught).masked_fill(silent, -1e4)
        counts = (~silent).sum(dim=1)
        shares = head.shares(evidence.logsumexp(dim=1) - counts.log())
        like = F.normalize(shares @ vectors, dim=-1) @ vectors.T / settings.temperature
        loss = like.logsumexp(dim=1) - (like + right.clamp(min=1e-9).log()).logsumexp(dim=1)
        size = head.bonus.square().sum() + head.up.weight.square().sum()
        total = (weights * loss).sum() + settings.decay * size
        optimiser.zero_grad()
        total.backward()
        for parameter in (head.bonus, head.up.weight):
            assert parameter.grad is not None
            parameter.grad.mul_(known if parameter.ndim == 1 else known[:, None])
        optimiser.step()
        with torch.no_grad():
            head.sharpness.clamp_(0.5, 3.0)
        on_step(step + 1, settings.steps, float(total.detach()))
    ears.requires_grad_(False)


@torch.no_grad()
def _batched(ears: Ears, heard: HeardClips) -> tuple[Tensor, Tensor, Tensor]:
    """Plain evidence `[C, N, W]` and embeddings `[C, N, 1024]` of all clips, as long as the
    longest; and where there is nothing, `[C, N, 1]`."""
    sizes = [p.logits.shape[1] for p in heard.patches]
    plain = [ears.head.plain(p.logits)[0] for p in heard.patches]
    padded = pad_sequence(plain, batch_first=True)
    embeddings = pad_sequence([p.embeddings[0] for p in heard.patches], batch_first=True)
    silent = torch.arange(max(sizes))[None] >= torch.tensor(sizes)[:, None]
    return padded, embeddings, silent[..., None]


@torch.no_grad()
def open_door(ears: Ears, heard: HeardClips, passing: float) -> float:
    """Add one number to the evidence of all faces, so that a share `passing` of the clips that no
    face makes is taken for a face; returns the number."""
    faces = ears.faces[: len(ears.head.usual)].bool()
    makers = {word.name for word in ears.words if word.face is not None}
    odds = []
    for patches, names in zip(heard.patches, heard.names, strict=True):
        if makers.isdisjoint(names):
            found = ears.head.sharpness * pooled(ears.head.evidence(patches))[0]
            odds.append(found[faces].logsumexp(dim=0) - found[~faces].logsumexp(dim=0))
    door = -float(torch.stack(odds).quantile(1 - passing) / ears.head.sharpness)
    ears.head.bonus.add_(door * faces)
    return door


def _even(kinds: Sequence[str]) -> Tensor:
    """Weights `[N]` that add up to 1, alike for every kind of clips."""
    counts = {kind: list(kinds).count(kind) for kind in set(kinds)}
    return torch.tensor([1 / (len(counts) * counts[kind]) for kind in kinds])


def untaught(trunk: Yamnet, embed: TextEmbed) -> Ears:
    """Ears with YAMNet's weights and the words' vectors, and nothing learnt."""
    ears = Ears(trunk=trunk)
    for rows_, templates in ((ears.faces > 0, FACE_TEMPLATES), (ears.faces == 0, PLAIN_TEMPLATES)):
        words = [ears.words[i] for i in rows_.nonzero().flatten().tolist()]
        names = word_vectors([word.name for word in words], templates, embed)
        looks = [word.face or word.name for word in words]
        ears.head.names[rows_] = names
        ears.head.looks[rows_] = word_vectors(looks, templates, embed)
    return ears.eval().requires_grad_(False)


def learn(ears: Ears, heard: HeardClips, settings: EarsTraining, seed: int) -> dict[str, float]:
    """Steps 2 to 4 of the module's description; returns the figures of the way."""
    with torch.no_grad():
        plain = torch.cat([pooled(ears.head.evidence(p)) for p in heard.patches])
    usual = usual_scores(
        plain, heard.names, heard.kinds, ears.words[: len(ears.head.usual)], settings.quantile
    )
    ears.head.usual.copy_(usual)
    losses: list[float] = []
    teach(ears, heard, settings, seed, lambda _, __, loss: losses.append(loss))
    door = open_door(ears, heard, settings.passing)
    sharpness = float(ears.head.sharpness)
    return {"first": losses[0], "last": losses[-1], "sharpness": sharpness, "door": door}


def main(
    assets: Annotated[Path, typer.Option(help="folder of sounds/ and teachers/")],
    out: Annotated[Path, typer.Option(help="folder the ears are written to")],
    steps: int = 100,
    seed: int = 0,
) -> None:
    """Read, teach, write."""
    from rich import print_json

    from recipes.clip.minilm import sentence_embeddings

    settings = EarsTraining(steps=steps)
    trunk = read_yamnet(assets / "teachers")
    ears = untaught(trunk, sentence_embeddings)
    clips = clips_to_learn(rows(assets / "sounds"))
    mixtures = int(settings.mixtures * len(clips))
    cache = out / "heard.pt"
    heard = hear_clips(trunk, assets / "sounds", clips, mixtures, seed, cache)
    figures = learn(ears, heard, settings, seed)
    notes = {
        "trunk": "YAMNet (Apache-2.0), weights dequantised",
        "trained_on": licences(clips),
        "sentences": "all-MiniLM-L6-v2 (MIT)",
        "split": "by speaker and source recording; one in five held out",
    }
    save_ears(ears, out / "encoder", notes)
    print_json(data=figures)


if __name__ == "__main__":
    typer.run(main)
