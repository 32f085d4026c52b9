"""A head in a photo with its depth: where it lies, what belongs to it, how it is shaped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from PIL import Image
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

from multimodal.faces import detect_faces
from multimodal.faces.align import FaceTransform, Point, cut, ffhq_quad
from multimodal.faces.detect import pick_face
from multimodal.fidelity.mesh import OVAL, face_meshes
from multimodal.images import to_tensor
from multimodal.parsing.classes import class_indices
from multimodal.parsing.parser import FaceParser

ROOM = 1.25
"""Side of the square about the head, in sides of the aligned crop: what the parser is shown."""
GRID = 256
"""Side of the grid on which the head's shape and motion are worked out."""
FACE_SIDE = 256
HEAD = ("skin", "hair", "brows", "eyes", "iris", "nose", "lips", "mouth", "teeth", "ears", "neck",
        "glasses", "beard", "hat")  # fmt: skip
EARS = (234, 454)
"""Points of the mesh before the ears: the head turns about the line between them."""
DEEPER = 1.5
"""What the mesh's depth is multiplied by, so that a head turned by 10 degrees measures so."""
SURE = 0.5
DOUBT = "the face is turned too far or hidden too much to find its shape"


@dataclass(frozen=True, eq=False)
class Solid:
    """A head in a photo; lengths are in parts of the square's side, depth grows to the viewer.

    Args:
        photo: the whole picture `[H, W, 3]` uint8.
        place: where the square about the head lies in it.
        mesh: of the face `[468, 3]`: right, down, towards the viewer from the ears' line.
        likely: probabilities of the parser's classes `[16, G, G]` over the square.
        points: the face's 68 points `[68, 2]`, or None: they were not looked for.
    """

    photo: np.ndarray
    place: FaceTransform
    mesh: np.ndarray
    likely: np.ndarray
    points: np.ndarray | None = None

    @cached_property
    def triangles(self) -> np.ndarray:
        """The mesh's triangles `[T, 3]`, clockwise in the picture, within the face's outline."""
        flat = (self.mesh - self.middle) @ self.frame
        found = Delaunay(flat[:, :2]).simplices
        corners = flat[found][..., :2]
        outline = flat[list(OVAL), :2].astype(np.float32).reshape(-1, 1, 2)
        middles = corners.mean(axis=1).astype(np.float32)
        inside = [cv2.pointPolygonTest(outline, tuple(map(float, p)), False) >= 0 for p in middles]
        found, corners = found[inside], corners[inside]
        one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        backwards = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
        found[backwards] = found[backwards][:, ::-1]
        return found

    @property
    def middle(self) -> np.ndarray:
        """What the head turns about `[3]`: halfway between the ears."""
        middle: np.ndarray = self.mesh[list(EARS)].mean(axis=0)
        return middle

    @property
    def frame(self) -> np.ndarray:
        """The head's own axes as columns `[3, 3]`: its right in the picture, down, forward."""
        across = self.mesh[EARS[1]] - self.mesh[EARS[0]]
        down = self.mesh[152] - self.mesh[10]
        across = across / np.linalg.norm(across)
        down = down - across * (down @ across)
        down = down / np.linalg.norm(down)
        return np.stack([across, down, np.cross(across, down)], axis=1)

    def share(self, *names: str) -> np.ndarray:
        """How likely each pixel of the square shows any of these classes, `[G, G]`."""
        found: np.ndarray = self.likely[class_indices(names)].sum(axis=0)
        return found

    def spread(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values at the mesh's points `[468, C]` over the square `[G, G, C]`, and where the mesh
        covers it `[G, G]`."""
        mesh = Delaunay(self.mesh[:, :2])
        found = LinearNDInterpolator(mesh, values, fill_value=np.nan)(cells())
        outline = self.mesh[list(OVAL), :2]
        mask = np.zeros((GRID, GRID), np.uint8)
        cv2.fillPoly(mask, [np.round(outline * GRID * 16 - 8).astype(np.int32)], 1, shift=4)
        covered = (mask > 0) & np.isfinite(found).all(axis=-1)
        return np.where(covered[..., None], found, 0.0), covered


def solid_of(
    photo: Image.Image, parser: FaceParser, face_index: int | None = None, aligned: bool = False
) -> Solid:
    """The head in a photo.

    Args:
        photo: any RGB picture.
        parser: tells the head from what is around it.
        face_index: which face, from 0, largest first; None takes the largest.
        aligned: the picture is an FFHQ-aligned crop.

    Raises:
        NoFaceError: no face, or not that many.
        ValueError: a face whose shape cannot be found.
    """
    photo = photo.convert("RGB")
    marks = None if aligned else pick_face(detect_faces(photo), face_index).landmarks
    quad = _whole(photo) if marks is None else ffhq_quad(marks)
    crop = cut(photo, FaceTransform(_corners(quad), FACE_SIDE))
    points, score = face_meshes(to_tensor(crop))
    if float(score[0]) <= SURE:
        raise ValueError(f"{DOUBT} (certainty {float(score[0]):.2f})")
    room = 1.0 if aligned else ROOM
    middle = quad.mean(axis=0)
    place = FaceTransform(_corners(middle + (quad - middle) * room), GRID)
    mesh = points[0].double().numpy()
    mesh[:, :2] = (mesh[:, :2] - 0.5) / room + 0.5
    mesh[:, 2] = -mesh[:, 2] * DEEPER / room
    mesh[:, 2] -= mesh[list(EARS), 2].mean()
    with torch.no_grad():
        likely = parser.probabilities(to_tensor(cut(photo, place)), mirror=True)
    likely = torch.nn.functional.interpolate(likely, (GRID, GRID), mode="bilinear")
    seen = None if marks is None else place.to_unit(np.asarray(marks, np.float64))
    return Solid(np.asarray(photo), place, mesh, likely[0].cpu().numpy(), seen)


def cells(side: int = GRID) -> np.ndarray:
    """The middles of a grid's cells in parts of its side, `[side, side, 2]`."""
    line = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(line, line), axis=-1)


def _whole(photo: Image.Image) -> np.ndarray:
    side = min(photo.size)
    corner = np.array([(photo.width - side) // 2, (photo.height - side) // 2]) - 0.5
    return corner + np.array([[0.0, 0.0], [0.0, side], [side, side], [side, 0.0]])


def _corners(quad: np.ndarray) -> tuple[Point, Point, Point, Point]:
    a, b, c, d = ((float(x), float(y)) for x, y in quad)
    return (a, b, c, d)
