"""What small published networks say about the parts of a real face: points and the person.

Models of MediaPipe (Apache-2.0) run by LiteRT, as files beside the other assets: 468 points of the
face (`face_landmark.tflite`), the irises (`iris_landmark.tflite`) and the person
(`selfie_segmentation.tflite`). Only the recipe needs them, the parser itself does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

# Closed outlines as places among the 468 points of the mesh.
# fmt: off
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
        152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
EYES = ((33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466))
BROWS = ((46, 53, 52, 65, 55, 107, 66, 105, 63, 70),
         (276, 283, 282, 295, 285, 336, 296, 334, 293, 300))
NOSE = (168, 351, 419, 456, 420, 360, 279, 331, 294, 327, 326, 2, 97, 98, 64, 102, 49, 131, 198,
        236, 196, 122)
# fmt: on
_MESH_SIDE, _IRIS_SIDE, _PERSON_SIDE = 192, 64, 256
_FIRST_BOX = (0.5, 0.57, 0.8)  # centre and side of the face in an aligned crop
_MARGIN = 1.5
_IRIS_MARGIN = 2.3


@dataclass(frozen=True)
class Seen:
    """What the teachers see in one picture; coordinates in parts of its side.

    Args:
        points: of the mesh, `[468, 2]`.
        iris: centre and four points around it of both irises, `[2, 5, 2]`.
        face: how sure the mesh is that there is a face, in [0, 1].
        person: probability that a pixel shows the person, `[256, 256]`.
    """

    points: np.ndarray
    iris: np.ndarray
    face: float
    person: np.ndarray


class Teachers:
    """The three networks, loaded once.

    Args:
        folder: holds the models.

    Raises:
        FileNotFoundError: a model is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._mesh = _interpreter(folder / "face_landmark.tflite")
        self._iris = _interpreter(folder / "iris_landmark.tflite")
        self._person = _interpreter(folder / "selfie_segmentation.tflite")

    def see(self, image: Image.Image) -> Seen:
        """Look at a square picture that is roughly aligned as FFHQ is."""
        image = image.convert("RGB")
        box = _FIRST_BOX
        points, face = self._points(image, box)
        if face > 0.3:  # once more, framed as the network was trained
            low, high = points.min(0), points.max(0)
            middle = (low + high) / 2
            box = (float(middle[0]), float(middle[1]), float((high - low).max()) * _MARGIN)
            points, face = self._points(image, box)
        iris = np.stack([self._eye(image, points, side) for side in (0, 1)])
        return Seen(points, iris, face, self._who(image))

    def _points(
        self, image: Image.Image, box: tuple[float, float, float]
    ) -> tuple[np.ndarray, float]:
        outputs = _run(self._mesh, _cut(image, box, _MESH_SIDE))
        flat = next(o for o in outputs if o.size == 468 * 3)
        score = next(o for o in outputs if o.size == 1)
        found = flat.reshape(468, 3)[:, :2] / _MESH_SIDE
        return _back(found, box), float(1 / (1 + np.exp(-score.ravel()[0])))

    def _eye(self, image: Image.Image, points: np.ndarray, side: int) -> np.ndarray:
        inner = points[list(EYES[side])]
        middle, width = inner.mean(0), float(np.ptp(inner[:, 0]))
        box = (float(middle[0]), float(middle[1]), max(width * _IRIS_MARGIN, 1e-3))
        pixels = _cut(image, box, _IRIS_SIDE)
        outputs = _run(self._iris, pixels if side == 0 else pixels[:, ::-1])
        found = next(o for o in outputs if o.size == 15).reshape(5, 3)[:, :2] / _IRIS_SIDE
        if side == 1:
            found[:, 0] = 1 - found[:, 0]
        return _back(found, box)

    def _who(self, image: Image.Image) -> np.ndarray:
        side = (_PERSON_SIDE, _PERSON_SIDE)
        pixels = np.asarray(image.resize(side, Image.Resampling.BILINEAR), np.float32) / 255
        return _run(self._person, pixels)[0].reshape(side)


def _interpreter(path: Path) -> object:
    if not path.is_file():
        raise FileNotFoundError(f"no model {path}")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _run(interpreter: object, pixels: np.ndarray) -> list[np.ndarray]:
    """Every output for one picture `[H, W, 3]` in [0, 1]."""
    network: object = interpreter
    where = network.get_input_details()[0]["index"]  # type: ignore[attr-defined]
    network.set_tensor(where, np.ascontiguousarray(pixels, np.float32)[None])  # type: ignore[attr-defined]
    network.invoke()  # type: ignore[attr-defined]
    details = network.get_output_details()  # type: ignore[attr-defined]
    return [np.array(network.get_tensor(d["index"])) for d in details]  # type: ignore[attr-defined]


def _cut(image: Image.Image, box: tuple[float, float, float], side: int) -> np.ndarray:
    x, y, part = box
    width, height = image.size
    corners = ((x - part / 2) * width, (y - part / 2) * height)
    far = ((x + part / 2) * width, (y + part / 2) * height)
    cut = image.transform(
        (side, side), Image.Transform.EXTENT, (*corners, *far), Image.Resampling.BILINEAR
    )
    return np.asarray(cut, np.float32) / 255


def _back(points: np.ndarray, box: tuple[float, float, float]) -> np.ndarray:
    x, y, part = box
    return points * part + np.array([x - part / 2, y - part / 2])
