"""Cuts the hair out of photographs that `multimodal.fidelity.hairstyles` lays on other heads.

    python -m recipes.fidelity.hairstyles --photos FOLDER

FOLDER holds the photographs that `hairstyles.toml` names (CC0; none of those held out for tests).
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from multimodal.faces import FaceTransform, detect_faces
from multimodal.faces.align import cut, ffhq_quad
from multimodal.faces.detect import pick_face
from multimodal.faces.native import native_crop
from multimodal.fidelity.composing import axes
from multimodal.fidelity.hairstyles.heads import Head, hairline_of
from multimodal.fidelity.hairstyles.library import FOLDER, SIDE
from multimodal.fidelity.regions import Surroundings
from multimodal.fidelity.subjects import Subject, subject_of
from multimodal.fidelity.things.filling import spread
from multimodal.parsing.matting import foreground, matte

TABLE = Path(__file__).with_suffix(".toml")
HAIR = ("hair",)
QUALITY = 94
HAZE = (0.12, 0.92)
"""Alphas up to which there is none, and from which there is but hair."""
ENDS = 0.10
"""Part of the side over which hair that the photo's lower border cuts off ends."""
CROWN = 0.14
"""Part of the side over which hair is drawn higher."""
CORNER, BEYOND = 0.4, 0.35
"""How far the ends of the cut are drawn lower, beside its middle; and over which part of half its
width beyond them that fades."""


def subject_in(photo: Image.Image) -> Subject:
    """The photo with its largest face, read."""
    quad = ffhq_quad(pick_face(detect_faces(photo), None).landmarks)
    side = int(np.linalg.norm(quad[3] - quad[0]))
    corners = tuple((float(x), float(y)) for x, y in quad)
    place = FaceTransform(corners, side)  # type: ignore[arg-type]
    return subject_of(photo, place, cut(photo, place), 512)


def layer_of(photo: Image.Image, around: Surroundings, out: list[Any]) -> np.ndarray:
    """Colours and alpha of the hair `[1024, 1024, 4]` uint8.

    Args:
        photo: the whole picture.
        around: the square about the head.
        out: outlines of what is no hair, in hundredths of the square's side.
    """
    pixels = np.asarray(native_crop(photo, around.place, SIDE).convert("RGB"))
    how = cv2.INTER_AREA if pixels.shape[0] > SIDE else cv2.INTER_CUBIC
    picture: np.ndarray = cv2.resize(pixels, (SIDE, SIDE), interpolation=how)
    hair = cv2.resize(around.where(HAIR), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    alpha = matte(picture, hair, hair).astype(np.float32)
    alpha = np.clip((alpha - HAZE[0]) / (HAZE[1] - HAZE[0]), 0, 1)
    left = np.ones((SIDE, SIDE), np.float32)
    for outline in out:
        points = np.array(outline) / 100 * SIDE
        cv2.fillPoly(left, [np.round(points * 16).astype(np.int32)], 0.0, cv2.LINE_AA, 4)
    alpha = alpha * cv2.GaussianBlur(left, (0, 0), 2.5) * _within(photo.size, around.place)
    alpha = _joined(alpha)
    front = _pure(foreground(picture, alpha), alpha)
    return np.dstack([front, np.rint(alpha * 255).astype(np.uint8)])


def _pure(front: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colours of which thin strands take those of the hair near by."""
    near = spread(front.astype(np.float32) / 255, (alpha > 0.95).astype(np.float32)) * 255
    much = np.clip((alpha - 0.3) / 0.6, 0, 1)[..., None]
    return np.rint(near + (front - near) * much).clip(0, 255).astype(np.uint8)


def _within(size: tuple[int, int], place: FaceTransform) -> np.ndarray:
    """1 within the photo, thinning out like ends of hair towards its lower border."""
    line = (np.arange(SIDE) + 0.5) / SIDE
    spots = np.stack(np.meshgrid(line, line), axis=-1) @ axes(place) + np.array(place.quad[0])
    width, height = size
    sides = np.minimum.reduce([spots[..., 0], width - 1 - spots[..., 0], spots[..., 1]])
    noise = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32)
    strands = np.zeros_like(noise)
    for across, much in ((1.2, 0.5), (4, 0.8), (14, 1.0)):
        soft = cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=40 + 4 * across)
        strands += much * soft / soft.std()
    lower = (height - 1 - spots[..., 1]) / place.side / ENDS
    ends = np.clip(3 * (lower - 0.4 - 0.17 * strands.clip(-2, 2)), 0, 1)
    return np.asarray((sides > 1) * ends * ends * (3 - 2 * ends), np.float32)


def _crowned(layer: np.ndarray, dome: list[float]) -> np.ndarray:
    """A layer whose crown was cut off, drawn higher where it was."""
    x0, y0, x1, y1, high = (value / 100 for value in dome)
    line = (np.arange(SIDE) + 0.5) / SIDE
    x, y = np.meshgrid(line, line)
    t = np.abs((x - (x0 + x1) / 2) / ((x1 - x0) / 2))
    round_ends = np.clip(1 - (t - 1) / BEYOND, 0, 1) ** 2
    more = high * np.where(t < 1, 1 - (1 + CORNER) * t**2.5, -CORNER * round_ends)
    top = y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    base = top + CROWN
    above = base - (base - y) * CROWN / (CROWN + more)
    at = np.where(y < base, above, y)
    spots = [(plane * SIDE - 0.5).astype(np.float32) for plane in (x, at)]
    return cv2.remap(layer, spots[0], spots[1], cv2.INTER_CUBIC)


def _joined(alpha: np.ndarray) -> np.ndarray:
    """An alpha without scraps beside the hair."""
    _, label, about, _ = cv2.connectedComponentsWithStats((alpha > 0.1).astype(np.uint8))
    large = about[:, cv2.CC_STAT_AREA] > 0.03 * about[1:, cv2.CC_STAT_AREA].max(initial=1)
    large[0] = False
    return np.asarray(alpha * large[label], np.float32)


def build(photos: Path, folder: Path, on_step: Callable[[str], None] | None = None) -> None:
    """Cut all styles of the table.

    Args:
        photos: holds the photographs.
        folder: receives a picture of each style, and `styles.json`.
        on_step: told the name of each that is done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    found = []
    for name, one in table.items():
        photo = Image.open(photos / one["photo"]).convert("RGB")
        subject = subject_in(photo)
        around, mesh = subject.around, (subject.mesh - 0.5) / subject.around.room + 0.5
        layer = layer_of(photo, around, one["out"])
        layer = _crowned(layer, one["dome"]) if "dome" in one else layer
        ys, xs = np.nonzero(layer[..., 3])
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        part = Image.fromarray(layer[box[1] : box[3], box[0] : box[2]])
        part.save(folder / f"{name}.webp", quality=QUALITY, method=6)
        known = {key: one[key] for key in ("photo", "kind", "curl")}
        light = round(Head(around, mesh).light, 3)
        heights = hairline_of(layer[..., 3] / 255, mesh) or (0.6, 1.0)
        known["heights"] = [round(height, 3) for height in heights]
        spots = [round(float(value), 4) for value in mesh.ravel()]
        found.append({"name": name, **known, "light": light, "box": box, "mesh": spots})
        if on_step is not None:
            on_step(name)
    write_table(folder / "styles.json", found)


def write_table(path: Path, found: Sequence[dict[str, Any]]) -> None:
    """Write what is known of each cut, a line each, as JSON."""
    text = ",\n".join(json.dumps(one) for one in found)
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")


def folders(about: str | None, out: Path) -> tuple[Path, Path]:
    """The folder of the photographs and that of what is cut out of them, from the command line.

    Args:
        about: what the program does; its first line is shown.
        out: of the cuts, where none is given.
    """
    parser = argparse.ArgumentParser(description=about.split("\n")[0] if about else None)
    parser.add_argument("--photos", type=Path, required=True, help="folder of the photographs")
    parser.add_argument("--out", type=Path, default=out, help="where to write")
    args = parser.parse_args()
    return args.photos, args.out


def main() -> None:
    """The command line."""
    build(*folders(__doc__, FOLDER), on_step=print)


if __name__ == "__main__":
    main()
