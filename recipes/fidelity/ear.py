"""Cuts the ear out of a photograph that bald heads get where hair hid theirs.

    python -m recipes.fidelity.ear --photos FOLDER

FOLDER holds the photograph (CC0, not held out). What is kept is how much darker or lighter than
skin each place of the ear is, so that it takes the colour of the head that gets it.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from multimodal.fidelity.things.ears import CELLS, FILE, RANGE, SPAN, frame_of
from recipes.fidelity.hairstyles import folders, subject_in

PHOTO = "051.jpg"
OUTLINE = ((-0.03, 0.15), (0.045, 0.13), (0.062, 0.155), (0.08, 0.171), (0.097, 0.173),
           (0.114, 0.16), (0.126, 0.136), (0.129, 0.101), (0.123, 0.055), (0.114, 0.002),
           (0.102, -0.052), (0.09, -0.1), (0.075, -0.143), (0.063, -0.175), (0.048, -0.194),
           (0.025, -0.202), (0.0, -0.203), (-0.02, -0.195), (-0.03, -0.17))  # fmt: skip
"""Of the ear, in widths of the face from the cheek's rim: outwards, and towards the crown."""
LIGHT = 0.75
"""Quantile of brightness that counts as skin's."""


def ear_of(photo: Image.Image) -> np.ndarray:
    """Brightness and alpha of a face's ear on the picture's left `[280, 180, 2]` uint8."""
    subject = subject_in(photo)
    crop = subject.crop
    side = len(crop)
    start, out, up = frame_of(subject.mesh * side, 234, 454)
    line = [np.linspace(low, high, count) for (low, high), count in zip(SPAN, CELLS, strict=True)]
    across, along = np.meshgrid(line[0], line[1][::-1])
    spots = (start + across[..., None] * out + along[..., None] * up).astype(np.float32)
    seen = cv2.remap(crop, spots[..., 0], spots[..., 1], cv2.INTER_CUBIC).mean(axis=-1) / 255
    alpha = np.zeros(seen.shape, np.float32)
    low, high = np.array(SPAN).T
    points = (np.array(OUTLINE) - low) / (high - low) * np.array(CELLS)
    points[:, 1] = CELLS[1] - points[:, 1]
    cv2.fillPoly(alpha, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2)
    logs = np.log(seen + 0.02)
    logs -= np.quantile(logs[alpha > 0.9], LIGHT)
    levels = (logs - RANGE[0]) / (RANGE[1] - RANGE[0])
    planes = np.dstack([levels.clip(0, 1), alpha])
    return np.asarray(np.rint(planes * 255), np.uint8)


def main() -> None:
    """The command line."""
    photos, out = folders(__doc__, FILE)
    planes = ear_of(Image.open(photos / PHOTO).convert("RGB"))
    Image.fromarray(planes, "LA").convert("RGBA").save(out, lossless=True, method=6)


if __name__ == "__main__":
    main()
