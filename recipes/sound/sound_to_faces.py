"""Lead what is heard to what the face that makes it looks like, in the space of the bundle's CLIP.

    python -m recipes.sound.sound_to_faces --sound runs/sound/encoder --clip runs/refined/clip \
        --assets ../shared/assets --out runs/sound/encoder

The sound encoder names sounds as sentences, and CLIP's text side knows sentences about faces: "a
laughing face", but not "someone laughs out loud". An adapter is fitted on both: on texts of every
kind as CLIP reads them, and on sounds of the training split, each led to the mean wording of the
face it stands for. It is kept beside the encoder, whose licence it shares, and CLIP sees no sound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from torch import Tensor

from audio.alignment import OWN_CLIP, Adapter, fit_adapter, save_adapter
from audio.encoder import SoundEncoder, load_encoder
from audio.io import RATE, load_sound
from guidance.clip import OpenClip, load_clip
from guidance.targets import NEUTRAL, embed_phrase, mix
from recipes.sound.adapter import text_bank, vectors
from recipes.sound.data import Row, read, rows, split_of
from recipes.sound.texts import GROUPS
from recipes.words.clip_words import class_prompts

FACES: dict[str, tuple[tuple[str, str], ...]] = {
    "laughter": (("expression", "laugh"),),
    "crying": (("expression", "crying"),),
    "baby cry": (("age", "child"), ("expression", "crying")),
    "scream": (("expression", "afraid"),),
    "gasp": (("expression", "surprised"),),
    "sigh": (("expression", "tired"),),
    "snore": (("expression", "eyes_closed"),),
    "cheer": (("expression", "smile"),),
    "child speech": (("age", "child"),),
    "neutral": (("expression", "neutral"),),
    "calm": (("expression", "neutral"),),
    "happy": (("expression", "smile"),),
    "sad": (("expression", "sad"),),
    "angry": (("expression", "angry"),),
    "fearful": (("expression", "afraid"),),
    "disgusted": (("expression", "disgusted"),),
    "surprised": (("expression", "surprised"),),
    "bored": (("expression", "tired"),),
    "man": (("sex", "male"),),
    "woman": (("sex", "female"),),
    "child": (("age", "child"),),
}
"""What is heard, by the names of `recipes.sound.texts`, and the classes of the face."""

ECHOES = 4
"""Copies of every sound's vector among the pairs, each with its own noise."""


def classes_of(heard: Sequence[str | None]) -> tuple[tuple[str, str], ...]:
    """The face's classes of several things heard at once, each attribute's first one."""
    found: dict[str, str] = {}
    for name in heard:
        for attribute, value in FACES.get(name or "", ()):
            found.setdefault(attribute, value)
    return tuple(found.items())


class FaceTargets:
    """Unit embeddings `[1, E]` of faces of given classes, as changes from the neutral text."""

    def __init__(self, clip: OpenClip) -> None:
        self.clip, self.prompts = clip, class_prompts()
        self.neutral = embed_phrase(clip, NEUTRAL)
        self._means: dict[tuple[str, str], Tensor] = {}

    def __call__(self, classes: Sequence[tuple[str, str]]) -> Tensor:
        """The target of a face that has all these classes."""
        means = [self._mean(*one) for one in classes]
        return mix(means, [1.0] * len(means), self.neutral)

    def _mean(self, attribute: str, value: str) -> Tensor:
        key = (attribute, value)
        if key not in self._means:
            texts = list(dict.fromkeys(self.prompts[attribute][value]))
            said = vectors(self.clip.encode_text, texts)
            self._means[key] = F.normalize(said.mean(dim=0, keepdim=True), dim=-1)
        return self._means[key]


@torch.no_grad()
def worded_pairs(clip: OpenClip, targets: FaceTargets) -> tuple[Tensor, Tensor]:
    """Sentences and where they lead, `[N, D]` and `[N, E]`: sentences about sounds that faces make
    to those faces, all others to where CLIP's text side has them."""
    meant: dict[str, Tensor] = {}
    for group in GROUPS.values():
        for name, wordings in group.items():
            if name in FACES:
                meant |= dict.fromkeys(wordings, targets(classes_of([name])))
    texts = list(dict.fromkeys([*meant, *text_bank()]))
    sentences = F.normalize(vectors(clip.pooled, texts), dim=-1)
    said = clip.project_sentence(sentences).cpu()
    wanted = [meant.get(text, said[i : i + 1]) for i, text in enumerate(texts)]
    return sentences, torch.cat(wanted)


@torch.no_grad()
def heard_pairs(
    encoder: SoundEncoder, folder: Path, clips: Sequence[Row], targets: FaceTargets
) -> tuple[Tensor, Tensor]:
    """Sounds `[N, D]`, and the faces that make them `[N, E]`; sounds of no face are left out."""
    heard, wanted = [], []
    for row in clips:
        classes = classes_of([row.event, row.emotion, row.sex, row.age])
        if classes:
            sound = load_sound((RATE, read(folder, row)), 30.0)
            heard.append(encoder.hear(sound.tensor()))
            wanted.append(targets(classes))
    return torch.cat(heard), torch.cat(wanted)


def fit(
    words: tuple[Tensor, Tensor], sounds: tuple[Tensor, Tensor], hidden: int, seed: int
) -> Adapter:
    """The adapter from both kinds of pairs; sounds are repeated with noise."""
    source = torch.Generator().manual_seed(seed)
    heard, faces = (t.repeat(ECHOES, 1) for t in sounds)
    noise = torch.randn(heard.shape, generator=source) / heard.shape[1] ** 0.5
    heard = F.normalize(heard + 0.3 * noise, dim=-1)
    pairs = torch.cat([words[0], heard]), torch.cat([words[1], faces])
    return fit_adapter(*pairs, hidden=hidden, steps=400, seed=seed)[0]


@torch.no_grad()
def judge(
    lead: Adapter, heard: Tensor, truth: Sequence[Mapping[str, str]], targets: FaceTargets
) -> dict[str, float]:
    """Share of sounds `[N, D]` led nearest to the right class of face, attribute by attribute."""
    led, out = lead(heard), {}
    for attribute, classes in targets.prompts.items():
        known = [i for i, row in enumerate(truth) if attribute in row]
        names = sorted({truth[i][attribute] for i in known})
        if len(names) < 2:
            continue
        means = torch.cat([targets([(attribute, name)]) for name in names if name in classes])
        found = (led[known] @ means.T).argmax(dim=1).tolist()
        right = [names[f] == truth[i][attribute] for f, i in zip(found, known, strict=True)]
        out[attribute] = sum(right) / len(right)
    return out


def main(
    sound: Annotated[Path, typer.Option(help="folder of the sound encoder")],
    clip: Annotated[Path, typer.Option(help="folder of the CLIP to lead to")],
    assets: Annotated[Path, typer.Option(help="folder of sounds/labels.csv")],
    out: Annotated[Path, typer.Option(help="folder the adapter is written to")],
    hidden: Annotated[int, typer.Option(help="channels of the hidden layer")] = 256,
    seed: int = 0,
) -> None:
    """Fit the adapter beside a sound encoder, and judge it on sounds set aside."""
    from rich import print_json

    encoder, seeing, folder = load_encoder(sound), load_clip(clip, "cpu"), assets / "sounds"
    targets, clips = FaceTargets(seeing), rows(folder)
    seen = [row for row in clips if split_of(row) == "train"]
    unseen = [row for row in clips if split_of(row) == "test"]
    adapter = fit(
        worded_pairs(seeing, targets), heard_pairs(encoder, folder, seen, targets), hidden, seed
    )
    save_adapter(adapter, out, OWN_CLIP)
    labels = [classes_of([row.event, row.emotion, row.sex, row.age]) for row in unseen]
    told = [row for row, classes in zip(unseen, labels, strict=True) if classes]
    heard, _ = heard_pairs(encoder, folder, told, targets)
    print_json(data=judge(adapter, heard, [dict(c) for c in labels if c], targets))


if __name__ == "__main__":
    typer.run(main)
