"""A film's frames edited, one after another: some are planned, the rest follow."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from apps.clips.reading import Film, Picture, numbered
from apps.clips.shots import Shot
from guidance.common import apply_offset, draw
from multimodal.faces.align import FaceTransform
from multimodal.faces.native import native_crop
from multimodal.fidelity import drawn_of, subject_of
from multimodal.fidelity.between import Key, changed, key_of
from multimodal.fidelity.plans import plan_of
from multimodal.fidelity.things.scene import Choice
from multimodal.types import Face, Latent

if TYPE_CHECKING:
    from multimodal import FaceEditor

WORKERS = 4
"""Frames that are edited side by side."""
AHEAD_BYTES = 64 << 20
"""Of the frames that are edited before they are asked for."""
WAITING_BYTES = 192 << 20
"""Of the frames that wait for the next planned one, as they are decoded."""


def most_waiting(film: Film) -> int:
    """How many frames may wait for one that is planned."""
    return max(1, WAITING_BYTES // (film.size[0] * film.size[1] * 3 // 2))


def finished(
    editor: FaceEditor, film: Film, shots: Sequence[Shot], start: int, stop: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The edited frames `[H, W, 3]` uint8 from one number up to another, with their numbers.

    Frames are edited on threads while the next one is decoded and planned, and while whoever asks
    for them writes those before.
    """
    plans: list[dict[int, Key]] = [{} for _ in shots]
    liked: list[dict[Choice, str]] = [{} for _ in shots]
    waiting: deque[tuple[int, Picture]] = deque()
    begun: deque[Future[tuple[int, np.ndarray]]] = deque()
    most = max(WORKERS, AHEAD_BYTES // (film.size[0] * film.size[1] * 3))
    with ThreadPoolExecutor(WORKERS) as pool:
        for number, picture in numbered(film, start, min(stop + 1, film.frames)):
            for known, shot, styles in zip(plans, shots, liked, strict=True):
                if number in shot.keys:
                    known[number] = planned(editor, picture.pixels(), shot, number, styles)
            if number < stop:
                waiting.append((number, picture))
            while waiting and _ready(waiting[0][0], shots, plans):
                begun.append(_begun(pool, *waiting.popleft(), shots, plans))
                while begun and (begun[0].done() or len(begun) > most):
                    yield begun.popleft().result()
        for one in waiting:  # a planned one could not be decoded
            begun.append(_begun(pool, *one, shots, plans))
        while begun:
            yield begun.popleft().result()


def _ready(number: int, shots: Sequence[Shot], plans: Sequence[dict[int, Key]]) -> bool:
    return all(
        shot.about(number)[1] in known
        for shot, known in zip(shots, plans, strict=True)
        if shot.shows(number)
    )


def _begun(
    pool: ThreadPoolExecutor,
    number: int,
    picture: Picture,
    shots: Sequence[Shot],
    plans: Sequence[dict[int, Key]],
) -> Future[tuple[int, np.ndarray]]:
    """A frame that is being edited; plans of earlier ones are forgotten."""
    changes: list[tuple[FaceTransform, tuple[Key, Key], float]] = []
    for shot, known in zip(shots, plans, strict=True):
        first, second, share = shot.about(number)
        for old in [key for key in sorted(known)[:-1] if key < first]:
            del known[old]
        if shot.shows(number) and known:
            last = known[max(known)]
            pair = known.get(first, last), known.get(second, last)
            changes.append((shot.place(number), pair, share))

    def edited() -> tuple[int, np.ndarray]:
        pixels = picture.pixels()
        for place, pair, share in changes:
            pixels = changed(pixels, place, pair, share)
        return number, pixels

    return pool.submit(edited)


@torch.no_grad()
def planned(
    editor: FaceEditor, pixels: np.ndarray, shot: Shot, number: int, liked: dict[Choice, str]
) -> Key:
    """A frame at which the edit is worked out; `liked` keeps hair and beards of those before."""
    frame, place = Image.fromarray(pixels), shot.place(number)
    rest = Latent(shot.code(number).to(editor.device))
    generator = editor.generator_for(Face(rest, frame))
    drawn = draw(generator, rest)
    after = draw(generator, apply_offset(generator, rest, shot.offset, shot.strength))
    side = drawn.shape[-1]
    crop = native_crop(frame, place, side)
    subject = replace(subject_of(frame, place, crop, side, steady=False), liked=liked)
    read = [drawn_of(one, subject.small.shape[0]) for one in (drawn, after)]
    meant = shot.offset.scaled(shot.strength).meant
    return key_of(subject, plan_of(subject, read[0], read[1], meant))
