"""From a sound or timed prompts to a moving face: the offsets, what they weigh, and the clip.

Loudness drives strength, content drives direction: a few key moments of the sound are turned into
offsets, and every frame mixes its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from apps.clips.animate import (
    MAX_SECONDS,
    OnFrames,
    Timeline,
    clear_caches,
    crossfade,
    frame_count,
    frames_of,
    key_weights,
    pictures,
    timeline_key,
)
from apps.clips.srt import read_cues
from apps.clips.video import Sound, write_clip
from apps.hearing import DEAF
from multimodal.editing.finishing import PHOTO, carried, check_fidelity
from multimodal.images import to_tensor
from multimodal.types import EditRequest, Face, Offset, check_seed, check_text

if TYPE_CHECKING:
    from multimodal import FaceEditor

KEY_SECONDS = 0.75
MAX_KEYS = 24
SLOW_KEYS = 3
SLOW_METHODS = ("optimize", "sound-optimize")


@dataclass(frozen=True)
class Motion:
    """What moves a face.

    Args:
        sound: a sound whose loudness drives strength and whose content drives direction, or None.
        text: words that hold all along, or None.
        track: an `.srt` file of prompts over time, or None.
        strength: how far at the loudest moment.
        fps: frames a second.
        seconds: cut the clip here.
        method: guidance method, or "auto".
        whole: draw the whole photo with the face in it.
        batch: frames drawn at a time.
        seed: everything random follows from it.
        fidelity: "photo" moves the photo, "drawing" what the generator draws.
    """

    sound: Path | None = None
    text: str | None = None
    track: Path | None = None
    strength: float = 1.2
    fps: float = 25.0
    seconds: float = MAX_SECONDS
    method: str = "auto"
    whole: bool = False
    batch: int = 8
    seed: int = 0
    fidelity: str = PHOTO

    def __post_init__(self) -> None:
        if self.sound is None and self.track is None:
            raise ValueError("say what moves the face: a sound, or a text track (.srt)")
        if not (math.isfinite(self.strength) and abs(self.strength) <= 20):
            raise ValueError(f"strength {self.strength} is not in +-20")
        check_seed(self.seed)
        check_text(self.text)
        frame_count(self.seconds, self.fps)
        check_fidelity(self.fidelity)


def animate(
    editor: FaceEditor,
    face: Face,
    motion: Motion,
    out: Path,
    on_frames: OnFrames | None = None,
    resumable: bool = True,
) -> Path:
    """Write a clip of a face moved by a sound or by timed prompts.

    Args:
        editor: draws.
        face: at rest.
        motion: what moves it.
        out: `.mp4` (with the sound), `.gif` or `.webp`.
        on_frames: progress.
        resumable: keep drawn frames beside `out` until the clip is whole, so that the same command
            goes on after an interruption.

    Raises:
        ValueError: a model that does not hear, a sound or track that cannot be read.
    """
    face = carried(face.with_latent(face.latent.to(editor.device)), motion.fidelity)
    timeline = timeline_of(editor, face, motion)
    key = timeline_key(face.latent, timeline)
    cache = out.with_name(f".{out.stem}.{key}.frames") if resumable else None
    generator = editor.generator_for(face)
    drawn = pictures(frames_of(generator, face.latent, timeline, motion.batch, cache, on_frames))
    drawn = _finished(editor, face, drawn, motion, timeline)
    write_clip(drawn, out, motion.fps, _soundtrack(motion, len(timeline) / motion.fps))
    clear_caches(out)
    return out


def timeline_of(editor: FaceEditor, face: Face, motion: Motion) -> Timeline:
    """Offsets and weights of every frame."""
    parts: list[tuple[list[Offset], Tensor]] = []
    frames = 0
    if motion.sound is not None:
        offsets, weights = _by_sound(editor, face, motion)
        frames = len(weights)
        parts.append((offsets, weights))
    if motion.track is not None:
        offsets, weights = _by_track(editor, face, motion, frames)
        frames = len(weights)
        parts.append((offsets, weights))
    if motion.text is not None:
        steady = _offset(editor, face, editor.embed(text=motion.text), motion, motion.text)
        parts.append(([steady], torch.ones(frames, 1)))
    return Timeline(
        tuple(offset for offsets, _ in parts for offset in offsets),
        torch.cat([weights for _, weights in parts], dim=1),
        motion.fps,
    )


def _by_sound(editor: FaceEditor, face: Face, motion: Motion) -> tuple[list[Offset], Tensor]:
    """An offset for each key moment; weights are interpolation times loudness, `[T, K]`."""
    hears: Any = editor.toolkit.sound
    if hears is None:
        raise ValueError(DEAF)
    track = hears.track(str(motion.sound), motion.fps)
    frames = min(len(track), frame_count(motion.seconds, motion.fps))
    wanted = math.ceil(frames / motion.fps / KEY_SECONDS)
    keys = max(1, min(wanted, SLOW_KEYS if _slow(editor, motion) else MAX_KEYS, frames))
    shares = key_weights(frames, keys)
    # A moment that moves nothing has nothing to say of where to.
    heard = track.embeddings[:frames].float()
    heard = heard * track.loudness[:frames, None].to(heard).clamp(min=1e-3)
    moments = torch.nn.functional.normalize(shares.T.to(heard) @ heard, dim=-1)
    offsets = [_offset(editor, face, moment[None], motion) for moment in moments]
    loud = track.loudness[:frames, None].float().cpu()
    return offsets, shares * loud * motion.strength


def _by_track(
    editor: FaceEditor, face: Face, motion: Motion, frames: int
) -> tuple[list[Offset], Tensor]:
    """An offset for each prompt; weights fade in and out around its time, `[T, K]`."""
    assert motion.track is not None
    cues = read_cues(motion.track)
    if not frames:
        frames = frame_count(min(max(cue.end for cue in cues), motion.seconds), motion.fps)
    texts = list(dict.fromkeys(cue.text for cue in cues))
    offsets = [_offset(editor, face, editor.embed(text=text), motion, text) for text in texts]
    spans = crossfade([(cue.start, cue.end) for cue in cues], frames, motion.fps)
    weights = torch.stack(
        [spans[:, [c.text == text for c in cues]].sum(1).clamp(max=1) for text in texts], dim=1
    )
    return offsets, weights * motion.strength


def _offset(
    editor: FaceEditor, face: Face, target: Tensor, motion: Motion, text: str | None = None
) -> Offset:
    from guidance.targets import NEUTRAL, embed_text
    from multimodal.editing.choosing import guidance_of, model_options, pick_method

    tools = replace(editor.toolkit, generator=editor.generator_for(face))
    name = pick_method(tools) if motion.method == "auto" else motion.method
    neutral = embed_text(tools.clip, NEUTRAL)
    options = model_options(tools, name)
    request = EditRequest(face.latent, target.to(neutral), neutral, text, motion.seed, options)
    return guidance_of(editor, tools, name).offset(request)


def _slow(editor: FaceEditor, motion: Motion) -> bool:
    from multimodal.editing.choosing import pick_method

    name = pick_method(editor.toolkit) if motion.method == "auto" else motion.method
    return name in SLOW_METHODS


def _soundtrack(motion: Motion, seconds: float) -> Sound | None:
    """The sound as it was recorded, from its beginning: the frames count from there too."""
    if motion.sound is None:
        return None
    from audio.io import load_recording

    sound = load_recording(motion.sound, seconds)
    return sound.rate, sound.samples


def _finished(
    editor: FaceEditor, face: Face, drawn: Iterator[Image.Image], motion: Motion, timeline: Timeline
) -> Iterator[Image.Image]:
    """Each frame as it is shown: the face, or the whole photo where there is one."""
    for index, picture in enumerate(drawn):
        meant = timeline.meant(index)
        shown = editor.finish(face, to_tensor(picture), motion.fidelity, meant)
        yield shown.photo if motion.whole and shown.photo is not None else shown.face
