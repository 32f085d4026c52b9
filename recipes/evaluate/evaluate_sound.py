"""Figures of the sound encoder on held-out clips, the teacher's beside them.

    python -m recipes.evaluate.evaluate_sound --assets ../shared/assets --encoder \
        runs/ears/encoder --out runs/ears/figures.json

Clips of training speakers and recordings are never used. Labels of games and effects come from
file names or from the teacher, so the figures are also given for the named corpora alone.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audio.alignment import Hearing, speaking_for
from audio.hearing.ears import Ears
from audio.io import RATE, Sound, load_sound, resample
from audio.listen import class_vectors
from audio.registry import load_sound_encoder
from recipes.clip.minilm import sentence_embeddings
from recipes.sound.data import Row, read, rows, split_of
from recipes.sound.texts import EMOTIONS, EVENTS, SEXES
from recipes.sound.yamnet import Yamnet

NAMED = ("donateacry", "speechocean762", "ravdess", "emodb", "cough_smith2006")
BARS = {"events": 0.80, "emotion": 0.60, "sex": 0.90, "invariance": 0.90, "seconds": 0.05}


@dataclass(frozen=True)
class Choice:
    """One answer of a forced choice.

    Args:
        values: labels of the clips it is right for.
        wordings: sentences that describe it; their mean is what is compared.
        plain: one sentence a user might type.
        teacher: the teacher's classes that mean the same; it has none for the sex of a voice.
    """

    values: tuple[str, ...]
    wordings: tuple[str, ...]
    plain: str
    teacher: tuple[str, ...] = ()


Question = Mapping[str, Choice]

LAUGHS = ("Laughter", "Giggle", "Belly laugh", "Chuckle, chortle", "Snicker", "Baby laughter")
WEEPS = ("Crying, sobbing", "Whimper", "Wail, moan")
CRIES = ("Baby cry, infant cry",)
SCREAMS = ("Screaming", "Shout", "Yell")
COUGHS = ("Cough", "Throat clearing")
SNEEZES = ("Sneeze",)
TALK = ("Speech", "Conversation", "Narration, monologue")


def _event(name: str, plain: str, *teacher: str) -> Choice:
    return Choice((name,), EVENTS[name], plain, teacher)


EVENT_QUESTION: Question = {
    "baby cry": _event("baby cry", "a baby crying", *CRIES),
    "laughter": _event("laughter", "a person laughing", *LAUGHS),
    "scream": _event("scream", "a person screaming", *SCREAMS),
    "cough/sneeze": Choice(
        ("cough", "sneeze"), EVENTS["cough"] + EVENTS["sneeze"], "a person coughing or sneezing",
        COUGHS + SNEEZES,
    ),
    "adult speech": _event("adult speech", "an adult speaking", *TALK),
    "child speech": _event("child speech", "a child speaking", "Child speech, kid speaking"),
    "animal": _event(
        "animal", "an animal", "Animal", "Domestic animals, pets", "Wild animals", "Bird",
        "Livestock, farm animals, working animals", "Dog", "Cat",
    ),
    "music": _event("music", "music", "Music", "Musical instrument", "Singing"),
    "nature": _event(
        "nature", "the sound of nature", "Rain", "Thunderstorm", "Thunder", "Wind", "Ocean",
        "Stream", "Water", "Waves, surf", "Fire", "Rain on surface", "Raindrop",
    ),
}  # fmt: skip
NOISE_QUESTION: Question = {
    "laughing": EVENT_QUESTION["laughter"],
    "crying": _event("crying", "a person crying", *WEEPS),
    "screaming": EVENT_QUESTION["scream"],
    "coughing": _event("cough", "a person coughing", *COUGHS),
    "sneezing": _event("sneeze", "a person sneezing", *SNEEZES),
}
EMOTION_QUESTION: Question = {
    "neutral": Choice(("neutral",), EMOTIONS["neutral"], "a neutral voice", TALK),
    "happy": Choice(("happy",), EMOTIONS["happy"], "a happy voice", LAUGHS),
    "sad": Choice(("sad",), EMOTIONS["sad"], "a sad voice", (*WEEPS, "Sigh")),
    "angry": Choice(("angry",), EMOTIONS["angry"], "an angry voice", SCREAMS),
}
SEX_QUESTION: Question = {
    "man": Choice(("man",), SEXES["man"], "a man speaking"),
    "woman": Choice(("woman",), SEXES["woman"], "a woman speaking"),
}


@dataclass(frozen=True)
class Clips:
    """Held-out clips with what both networks heard.

    Args:
        rows: N clips.
        heard: the encoder's unit vectors `[N, D]`.
        scores: the teacher's scores `[N, 521]`, mean over patches.
        shares: of the ears' words `[N, W]`; None of an encoder that knows no words.
        names: those words' vectors `[W, D]`.
    """

    rows: list[Row]
    heard: Tensor
    scores: Tensor
    shares: Tensor | None = None
    names: Tensor | None = None

    def where(self, keep: Sequence[bool]) -> Clips:
        """Some of the clips."""
        index = [i for i, wanted in enumerate(keep) if wanted]
        shares = None if self.shares is None else self.shares[index]
        rows = [self.rows[i] for i in index]
        return Clips(rows, self.heard[index], self.scores[index], shares, self.names)


def hear(encoder: Hearing, sound: Sound | tuple[int, np.ndarray]) -> Tensor:
    """Unit `[1, D]`, by the door users take."""
    return encoder.hear(load_sound(sound, 30.0).tensor())


def hear_all(encoder: Hearing, teacher: Yamnet, folder: Path, chosen: list[Row]) -> Clips:
    """Ask both networks about every clip."""
    heard, scores, shares = [], [], []
    for row in chosen:
        samples = read(folder, row)
        if isinstance(encoder, Ears):
            shares.append(encoder.listen(load_sound((RATE, samples), 30.0).tensor()))
        heard.append(hear(encoder, (RATE, samples)))
        scores.append(torch.from_numpy(teacher(samples).scores.mean(axis=0)))
    words = (torch.cat(shares), encoder.head.names) if isinstance(encoder, Ears) else (None, None)
    return Clips(chosen, torch.cat(heard), torch.stack(scores), *words)


def held_out(folder: Path, most: int, seed: int = 0) -> list[Row]:
    """Clips of no training speaker or recording, at most `most` of each kind."""
    order = np.random.default_rng(seed)
    kinds: dict[tuple[str | None, ...], list[Row]] = {}
    for row in rows(folder):
        if split_of(row) != "train" and row.event is not None:
            key = (split_of(row), row.event, row.emotion, row.sex)
            kinds.setdefault(key, []).append(row)
    picked = []
    for group in kinds.values():
        for index in sorted(order.permutation(len(group))[:most]):
            picked.append(group[index])
    return picked


def forced_choice(
    clips: Clips, labels: Sequence[str | None], question: Question, names: list[str]
) -> dict[str, object]:
    """Top-1 of encoder (mean wording, plain sentence), of the evidence of its words, and of the
    teacher, and recall by class.

    Args:
        clips: with `labels`, one each; clips whose label answers nothing are left out.
        question: the answers.
        names: the teacher's classes.
    """
    right = {value: i for i, choice in enumerate(question.values()) for value in choice.values}
    known = [label in right for label in labels]
    clips = clips.where(known)
    wanted = torch.tensor([right[v] for v in labels if v in right])
    if not len(wanted):
        return {"clips": 0}
    mean = class_vectors(sentence_embeddings, {k: c.wordings for k, c in question.items()})
    plain = sentence_embeddings([choice.plain for choice in question.values()])
    answers = {
        "encoder": (clips.heard @ mean.T).argmax(dim=1),
        "encoder_plain": (clips.heard @ plain.T).argmax(dim=1),
    }
    if clips.shares is not None and clips.names is not None:
        answers["evidence"] = speaking_for(clips.shares, clips.names, mean).argmax(dim=1)
        answers["evidence_plain"] = speaking_for(clips.shares, clips.names, plain).argmax(dim=1)
    if all(choice.teacher for choice in question.values()):
        judged = [
            clips.scores[:, [names.index(n) for n in choice.teacher]].amax(dim=1)
            for choice in question.values()
        ]
        answers["teacher"] = torch.stack(judged, dim=1).argmax(dim=1)
    return {"clips": len(wanted)} | {
        name: recalls(given, wanted, list(question)) for name, given in answers.items()
    }


def recalls(given: Tensor, wanted: Tensor, names: list[str]) -> dict[str, object]:
    """Accuracy over all clips `[N]` and for each name, with counts."""
    hit = (given == wanted).float()
    exact = {
        name: (float(hit[wanted == i].mean()), int((wanted == i).sum()))
        for i, name in enumerate(names)
        if bool((wanted == i).any())
    }
    balanced = float(np.mean([recall for recall, _ in exact.values()]))
    by_class = {name: [round(recall, 3), count] for name, (recall, count) in exact.items()}
    return {
        "top1": round(float(hit.mean()), 3),
        "mean_recall": round(balanced, 3),
        "recall_and_clips": by_class,
    }


def mp3(samples: np.ndarray, kilobits: int = 64) -> bytes:
    """The sound as an MP3 file."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=RATE, layout="mono")
        stream.bit_rate = kilobits * 1000
        pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=RATE, frame_size=576)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return out.getvalue()


CHANGES: dict[str, Callable[[np.ndarray], tuple[int, np.ndarray] | bytes]] = {
    "gain +20 dB": lambda x: (RATE, x * 10),
    "gain -20 dB": lambda x: (RATE, x / 10),
    "8 kHz": lambda x: (8000, resample(x, RATE, 8000)),
    "48 kHz": lambda x: (48000, resample(x, RATE, 48000)),
    "0.5 s later": lambda x: (RATE, np.concatenate([np.zeros(RATE // 2, np.float32), x])),
    "turned by 0.5 s": lambda x: (RATE, np.roll(x, RATE // 2)),
    "mp3 64 kb/s": mp3,
}
"""What a clip may go through without its meaning changing."""


def invariance(encoder: Hearing, clips: list[np.ndarray]) -> dict[str, dict[str, float]]:
    """Cosine with the clean embedding after each change: median and tenth percentile."""
    clean = [hear(encoder, (RATE, x)) for x in clips]
    out = {}
    for name, change in CHANGES.items():
        near = [
            float((hear(encoder, change(x)) * c).sum())  # type: ignore[arg-type]
            for x, c in zip(clips, clean, strict=True)
        ]
        low, middle = np.percentile(near, [10, 50])
        out[name] = {"median": round(float(middle), 4), "p10": round(float(low), 4)}
    return out


def latency(encoder: Hearing, seconds: float = 5.0, runs: int = 15) -> dict[str, float]:
    """Median time from (rate, samples) to the vector."""
    samples = np.random.default_rng(0).normal(size=int(seconds * RATE)).astype(np.float32)
    times = []
    for _ in range(runs):
        begun = time.perf_counter()
        hear(encoder, (RATE, samples))
        times.append(time.perf_counter() - begun)
    return {"median_s": round(float(np.median(times[2:])), 4), "threads": torch.get_num_threads()}


def evaluate(encoder: Hearing, assets: Path, most: int = 60) -> dict[str, object]:
    """All figures, from at most so many clips of each kind."""
    folder, teacher = assets / "sounds", Yamnet(assets / "teachers")
    clips = hear_all(encoder, teacher, folder, held_out(folder, most))
    fold = clips.where([split_of(row) == "test" for row in clips.rows])
    german = clips.where([row.corpus == "emodb" for row in clips.rows])
    named = fold.where([row.corpus in NAMED for row in fold.rows])
    ask = lambda c, of, q: forced_choice(c, [of(r) for r in c.rows], q, teacher.names)  # noqa: E731
    spread = fold.rows[:: max(1, len(fold.rows) // 60)]
    return {
        "bars": BARS,
        "events": ask(fold, lambda r: r.event, EVENT_QUESTION),
        "events_named_corpora": ask(named, lambda r: r.event, EVENT_QUESTION),
        "human_noises": ask(fold, lambda r: r.event, NOISE_QUESTION),
        "emotion_ravdess": ask(fold, lambda r: r.emotion, EMOTION_QUESTION),
        "emotion_emodb": ask(german, lambda r: r.emotion, EMOTION_QUESTION),
        "sex": ask(fold, lambda r: r.sex, SEX_QUESTION),
        "sex_emodb": ask(german, lambda r: r.sex, SEX_QUESTION),
        "invariance": invariance(encoder, [read(folder, row) for row in spread]),
        "latency": latency(encoder),
    }


def main() -> None:
    """Parse, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=60, help="clips of each kind")
    args = parser.parse_args()
    encoder: Any = load_sound_encoder(args.encoder)
    figures = evaluate(encoder, args.assets, args.most)
    temporary = args.out.with_suffix(".part")
    temporary.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    temporary.replace(args.out)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
