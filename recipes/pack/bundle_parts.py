"""The parts of a model folder: their files, their licences, and how to tell that they still work.

A part's probe runs it on fixed inputs. `recipes.pack.pack` runs it before and after the weights are
rounded: what the outputs differ by is what the rounding costs.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from guidance.controls.components import FILES as COMPONENTS
from guidance.controls.control import ATTRIBUTES_NAME
from guidance.methods.delta import FILE_NAME as DELTA
from guidance.methods.directions import FILE_NAME as STATISTICS
from guidance.methods.factor_moves import FILE_NAME as FACTORS
from guidance.methods.flow import FILE_NAME as FLOW
from guidance.methods.text_encoder import FILE_NAME as TEXT_ENCODER
from multimodal.editing.assemble import CLIP, IDENTITY, SOUND
from multimodal.files.variants import completed
from multimodal.generators.native import config_path
from multimodal.generators.photo_codes import FILE_NAME as PHOTO_CODES
from multimodal.inversion.encoders.encoder_files import ENCODER_FILE, HYPER_FILE
from multimodal.parsing import PARSER_FILE
from multimodal.recognition.judge import FILE_NAME as JUDGE
from recipes.checkpoint import EDITS_FILE
from recipes.clip.clip_model import PRETRAINED

GENERATOR, METHODS = "generator.safetensors", "methods.json"
DIRECTION_FILES = (ATTRIBUTES_NAME, STATISTICS, *COMPONENTS.values())
FREE = "CC0-1.0"
OF_EFFICIENTNET = "Apache-2.0"
OF_PARSER = f"{FREE} AND {OF_EFFICIENTNET} AND CC-BY-4.0 AND MIT"
"""Its trunk, MediaPipe's points and masks, and the photographs it was shown."""
OF_PHOTOGRAPHS = "CC-BY-4.0 AND MIT"
PHOTOGRAPHS_STAGE, ABOUT = "photographs.train", "about.json"
OF_YAMNET, OF_MINILM = "Apache-2.0", "MIT"
NON_COMMERCIAL = "CC-BY-NC-SA-4.0"
ACTED_VOICES = "sound/voices_acted.safetensors"
WORDS = ("a photo of a smiling woman", "an old man with a grey beard", "a surprised child")
RESTRICTS = re.compile(r"NC|SA|GPL|GFDL|ODbL|MPL")
"""Marks of the licences that bind what is made from a work, beyond naming its author."""
HEARD_SECONDS, RATE = 2, 16_000

Probe = Callable[[Path, Tensor], Tensor]
"""A model folder and pictures `[B, 3, H, W]` in [-1, 1] to the part's outputs, flat."""


@dataclass(frozen=True)
class Part:
    """One part of a model folder.

    Args:
        name: of the option that names its source.
        files: its weights, as paths in the folder.
        place: copies a source into the folder.
        probe: see `Probe`.
        licence: of the files under `prefix`, from the folder.
        prefix: what the part's files begin with.
        about: one line for the help.
        eight_bits: its loader reads matrices in 8 bits (`multimodal.files.eight_bits`).
    """

    name: str
    files: tuple[str, ...]
    place: Callable[[Path, Path], None]
    probe: Probe
    prefix: str
    about: str
    licence: Callable[[Path], str] = lambda _: FREE
    eight_bits: bool = False


def sound_licence(folder: Path) -> str:
    """What the sound encoder may be used under: every licence of its training sounds that binds
    (share-alike, copyleft, non-commercial), as an SPDX expression; ears carry YAMNet's besides.

    Where its notes do not say what it saw, the strictest of the corpora is assumed.
    """
    from audio.encoder import CONFIG
    from audio.hearing import ears

    if (folder / SOUND / ears.CONFIG).is_file():
        about = json.loads((folder / SOUND / ears.CONFIG).read_text(encoding="utf-8"))
        bound = _binding(about.get("notes", {}).get("trained_on", {NON_COMMERCIAL: 0}))
        return " AND ".join([*bound, OF_YAMNET, OF_MINILM])
    about = json.loads((folder / SOUND / CONFIG).read_text(encoding="utf-8"))
    seen: Mapping[str, int] = about.get("notes", {}).get("trained_on", {NON_COMMERCIAL: 0})
    return " AND ".join(_binding(seen)) or FREE


def _binding(seen: Mapping[str, int]) -> list[str]:
    """The licences among those of training sounds that bind, the non-commercial ones first."""
    names = {re.sub(r" \(.*\)$", "", name) for name in seen if RESTRICTS.search(name)}
    parts = {part for name in names if " OR " not in name for part in name.split(" + ")}
    return sorted(parts, key=lambda name: ("NC" not in name, name))


def acted_licence(_: Path) -> str:
    """Moods were learnt from acted voices, whose licence goes with them."""
    return NON_COMMERCIAL


def generator_licence(folder: Path) -> str:
    """A generator that learnt from photographs names the licences of those that ask for it."""
    path = folder / ABOUT
    about = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    seen = {stage.get("stage") for stage in about.get("stages", ())}
    return f"{FREE} AND {OF_PHOTOGRAPHS}" if PHOTOGRAPHS_STAGE in seen else FREE


def encoder_licence(folder: Path) -> str:
    """The generator's; an encoder whose trunk knew ImageNet carries that trunk's licence too."""
    about = json.loads(config_path(folder / ENCODER_FILE).read_text(encoding="utf-8"))
    trunk = f" AND {OF_EFFICIENTNET}" if about["config"].get("trunk") else ""
    return generator_licence(folder) + trunk


def clip_licence(folder: Path) -> str:
    """The text tower and its tokenizer are MiniLM's; the image tower may have known ImageNet."""
    from guidance.clip import read_config

    tower = read_config(folder / CLIP)["model_cfg"]["vision_cfg"].get("timm_model_name")
    own = f"{FREE} AND {OF_EFFICIENTNET}" if tower == PRETRAINED else FREE
    return f"{own} AND MIT"


def _place_generator(source: Path, folder: Path) -> None:
    from multimodal.generators import load_generator, save_generator

    save_generator(load_generator(source, "cpu"), folder / GENERATOR)


def _place_encoder(source: Path, folder: Path) -> None:
    """An encoder file, or the folder of a generator's training."""
    from multimodal.inversion.encoders.encoder_files import read_bundle_encoder, save_bundle_encoder
    from recipes.checkpoint import SHAPES, load_run

    trained = (source / SHAPES).is_file()
    encoder = load_run(source)[1] if trained else read_bundle_encoder(source)
    save_bundle_encoder(encoder, folder / ENCODER_FILE)


def _place_edits(source: Path, folder: Path) -> None:
    """From the folder of a generator's training, or of a model."""
    from recipes.checkpoint import save_edits

    kept = completed(source) / EDITS_FILE
    if kept.is_file():
        shutil.copyfile(kept, folder / EDITS_FILE)
    else:
        save_edits(source, folder / EDITS_FILE)


def _probe_edits(folder: Path, _: Tensor) -> Tensor:
    from guidance.common import load_tensors

    return load_tensors(folder / EDITS_FILE)[0]["edits.weight"].flatten()


def _place_clip(source: Path, folder: Path) -> None:
    from guidance.clip import WEIGHTS_NAME, read_config

    read_config(source)  # says what is wrong with a folder that is no CLIP
    kept = [p for p in source.iterdir() if p.name == WEIGHTS_NAME or p.suffix in (".json", ".txt")]
    _copy(kept, folder / CLIP)


def _place_sound(source: Path, folder: Path) -> None:
    from audio.alignment import ADAPTER, ADAPTER_CONFIG
    from audio.encoder import CONFIG, WEIGHTS
    from audio.hearing import ears
    from audio.hearing.voices import FILES

    names = (ears.WEIGHTS, ears.CONFIG, FILES[0], WEIGHTS, CONFIG, ADAPTER, ADAPTER_CONFIG)
    found = [source / name for name in names]
    _copy([path for path in found if path.is_file()] or found[:1], folder / SOUND)


def _place_acted(source: Path, folder: Path) -> None:
    _copy([source], folder / SOUND)


def _probe_acted(folder: Path, _: Tensor) -> Tensor:
    from audio.hearing.voices import load_reader

    reader = load_reader(folder / ACTED_VOICES)
    answers = reader(_noise(4, len(reader.mean)))
    return torch.cat([answer.flatten() for answer in answers.values()])


def _place_directions(source: Path, folder: Path) -> None:
    found = [source / name for name in DIRECTION_FILES if (source / name).is_file()]
    if not found:
        raise FileNotFoundError(f"{source} holds none of {', '.join(DIRECTION_FILES)}")
    _copy(found, folder)


def _place_as(name: str) -> Callable[[Path, Path], None]:
    """Copies one file, and the JSON beside it where there is one, under the given name."""

    def place(source: Path, folder: Path) -> None:
        if not source.is_file():
            raise FileNotFoundError(f"no such file: {source}")
        shutil.copyfile(source, folder / name)
        if config_path(source) != source and config_path(source).is_file():
            shutil.copyfile(config_path(source), config_path(folder / name))

    return place


def _copy(paths: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)


def _noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def _probe_generator(folder: Path, _: Tensor) -> Tensor:
    return sample_pictures(folder).flatten()


def _probe_encoder(folder: Path, pictures: Tensor) -> Tensor:
    from multimodal.inversion.encoders.encoder_files import read_bundle_encoder

    return read_bundle_encoder(folder / ENCODER_FILE)(pictures).flatten()


def _probe_hyper(folder: Path, pictures: Tensor) -> Tensor:
    from multimodal.inversion.encoders.small_hyper import read_small_hyper

    found = read_small_hyper(folder / HYPER_FILE)(pictures.repeat(1, 2, 1, 1))
    return torch.cat([change.flatten() for change in found if change is not None])


def _probe_clip(folder: Path, pictures: Tensor) -> Tensor:
    from guidance.clip import load_clip

    clip = load_clip(folder / CLIP, "cpu")
    return torch.cat([clip.encode_image(pictures), clip.encode_text(WORDS)]).flatten()


def _probe_sound(folder: Path, _: Tensor) -> Tensor:
    from audio.alignment import SoundEmbedder

    ears: Any = SoundEmbedder.from_dir(folder / SOUND)
    heard = ears.encoder.hear(0.1 * _noise(4, HEARD_SECONDS * RATE))
    led = [] if ears.project is None else [ears.project(heard).flatten()]
    return torch.cat([heard.flatten(), *led])


def _probe_identity(folder: Path, pictures: Tensor) -> Tensor:
    from multimodal.recognition.identity import load_identity

    return load_identity(folder / IDENTITY)(pictures).flatten()


def _probe_judge(folder: Path, pictures: Tensor) -> Tensor:
    from multimodal.recognition.judge import load_judge

    return torch.cat([v.flatten() for v in load_judge(folder).read(pictures).values()])


def _probe_parser(folder: Path, pictures: Tensor) -> Tensor:
    from multimodal.parsing import load_parser

    return load_parser(folder).probabilities(pictures).flatten()


def _probe_text_encoder(folder: Path, _: Tensor) -> Tensor:
    from guidance.methods.text_encoder import load_text_encoder

    net = load_text_encoder(folder / TEXT_ENCODER)
    return net(_noise(8, net.config.embedding), net.draw_noise(8, 0)).flatten()


def _probe_delta(folder: Path, _: Tensor) -> Tensor:
    from guidance.methods.delta import load_delta

    net = load_delta(folder / DELTA)
    styles = net.mean + net.std * _noise(8, sum(net.config.sizes))
    return net(styles, *_noise(2, 8, net.config.embedding)).flatten()


def _probe_factors(folder: Path, _: Tensor) -> Tensor:
    from guidance.methods.factor_moves import FactorMoves

    moves = FactorMoves.load(folder / FACTORS)
    return torch.cat([moves.weight @ moves.goals.T, moves.words.T]).flatten()


def _probe_flow(folder: Path, _: Tensor) -> Tensor:
    from guidance.methods.flow import load_flow

    flow = load_flow(folder / FLOW)
    source = torch.Generator().manual_seed(0)
    noise = torch.randn(4, flow.config.style_dim, generator=source)
    return flow.inverse(noise, torch.rand(4, flow.config.factors, generator=source)).flatten()


def _probe_photo_codes(folder: Path, _: Tensor) -> Tensor:
    from multimodal.generators.photo_codes import PhotoCodes

    return PhotoCodes.load(folder).sample(4, 0).w.flatten()


def _probe_directions(folder: Path, _: Tensor) -> Tensor:
    """Every tensor at length one: what counts of a direction is where it points."""
    from guidance.common import load_tensors

    files = [folder / name for name in DIRECTION_FILES if (folder / name).is_file()]
    tensors = [t.float().flatten() for file in files for t in load_tensors(file)[0].values()]
    return torch.cat([t / t.norm().clamp(min=1e-12) for t in tensors])


def sample_pictures(folder: Path, count: int = 4) -> Tensor:
    """Seeded faces `[count, 3, R, R]` of a folder's generator, in [-1, 1]."""
    from multimodal.generators import load_generator

    generator = load_generator(folder / GENERATOR, "cpu")
    return generator.synthesize(generator.sample(count, 0, 0.7).w).clamp(-1, 1)


_CLIP_FILES = ("clip/open_clip_model.safetensors",)
_SOUND_FILES = (
    "sound/ears.safetensors", "sound/voices.safetensors", "sound/sound_encoder.safetensors",
    "sound/sound_adapter.safetensors",
)  # fmt: skip

PARTS: tuple[Part, ...] = (
    Part("generator", (GENERATOR,), _place_generator, _probe_generator, "generator.",
         "a generator file of any format", generator_licence),
    Part("encoder", (ENCODER_FILE,), _place_encoder, _probe_encoder, "encoder.",
         "an encoder.safetensors, or train_generator's folder", encoder_licence),
    Part("hyper", (HYPER_FILE,), _place_as(HYPER_FILE), _probe_hyper, "hyper.",
         "train_hyper's hyper.safetensors", generator_licence),
    Part("clip", _CLIP_FILES, _place_clip, _probe_clip, f"{CLIP}/", "train_clip's clip folder",
         clip_licence),
    Part("sound", _SOUND_FILES, _place_sound, _probe_sound, f"{SOUND}/",
         "train_ears' encoder folder", sound_licence),
    Part("acted-voices", (ACTED_VOICES,), _place_acted, _probe_acted, ACTED_VOICES,
         "train_voices' voices_acted.safetensors", acted_licence),
    Part("directions", DIRECTION_FILES, _place_directions, _probe_directions, ATTRIBUTES_NAME,
         "the folder that recipes.factors.directions wrote to"),
    Part("text-encoder", (TEXT_ENCODER,), _place_as(TEXT_ENCODER), _probe_text_encoder,
         TEXT_ENCODER, "train_text_encoder's text_encoder.safetensors", eight_bits=True),
    Part("delta", (DELTA,), _place_as(DELTA), _probe_delta, DELTA,
         "train_delta's delta.safetensors", eight_bits=True),
    Part("factors", (FACTORS,), _place_as(FACTORS), _probe_factors, FACTORS,
         "factor_words' factors.safetensors"),
    Part("flow", (FLOW,), _place_as(FLOW), _probe_flow, FLOW, "train_flow's flow.safetensors",
         eight_bits=True),
    Part("photo-codes", (PHOTO_CODES,), _place_as(PHOTO_CODES), _probe_photo_codes, PHOTO_CODES,
         "photo_codes' photo_codes.safetensors", generator_licence),
    Part("judge", (JUDGE,), _place_as(JUDGE), _probe_judge, "judge.",
         "train_judge's judge.safetensors"),
    Part("parser", (PARSER_FILE,), _place_as(PARSER_FILE), _probe_parser, "parser.",
         "train_parser's parser.safetensors", lambda _: OF_PARSER),
    Part("edits", (EDITS_FILE,), _place_edits, _probe_edits, EDITS_FILE,
         "train_generator's folder: what going on with its training needs"),
    Part("identity", (IDENTITY,), _place_as(IDENTITY), _probe_identity, "identity.",
         "train_identity's identity.safetensors"),
)  # fmt: skip
"""Every part, the generator first: the others are probed with its pictures."""
