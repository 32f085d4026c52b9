"""The same faces in frame after frame: found now and then, followed in between, held still.

Where a picture differs from the one before nearly everywhere, the film was cut, and tracks end.
A track's crop is smoothed over time from both sides, so that the crop does not tremble and does not
lag behind either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from multimodal.faces.align import FaceTransform, ffhq_quad
from multimodal.faces.detect import DetectedFace, points_in, upright_faces

SIDE = 640
"""Longest side of the frames that are searched."""
EVERY = 12
"""Frames between two searches; a lost face is searched at once."""
CUT = 0.16
"""Mean difference of two thumbnails in [0, 1] from which the film was cut."""
SMOOTH = 2.0
"""Deviation in frames of the smoothing of a crop's place."""
JUMP = 0.35
"""How far a face may move between two frames, in its own widths."""
THUMBNAIL = (32, 18)


@dataclass(eq=False)
class Track:
    """One face through one shot.

    Args:
        start: its first frame.
        points: its 68 points in every frame from there, each `[68, 2]` in pixels of the frame.
    """

    start: int
    points: list[np.ndarray] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """The frame after its last."""
        return self.start + len(self.points)

    def places(self, size: int) -> list[FaceTransform]:
        """Where the crop of `size` pixels lies in each frame, smoothed over time."""
        quads = np.stack([ffhq_quad(points) for points in self.points])
        smoothed = np.stack([_smoothed(side) for side in quads.reshape(len(quads), -1).T], axis=1)
        return [
            FaceTransform(tuple((float(x), float(y)) for x, y in quad), size)  # type: ignore[arg-type]
            for quad in smoothed.reshape(-1, 4, 2)
        ]


def track_faces(frames: Iterable[Image.Image], which: int | None = None) -> list[Track]:
    """The faces of a film.

    Args:
        frames: its pictures, one at a time; none is kept.
        which: only the face of that index of each search, largest first; None follows all.

    Returns:
        tracks in the order in which they begin.
    """
    done: list[Track] = []
    live: list[Track] = []
    before: np.ndarray | None = None
    for number, frame in enumerate(frames):
        small, scale = _small(frame)
        seen = _thumbnail(small)
        if before is not None and float(np.abs(seen - before).mean()) > CUT:
            done, live = [*done, *live], []
        before = seen
        lost = [track for track in live if not _follow(track, small, scale)]
        live = [track for track in live if track not in lost]
        done += lost
        if number % EVERY == 0 or lost or not live:
            for face in _searched(small, which):
                if not any(_same(face, track, scale) for track in live):
                    live.append(Track(number, [_full(face.landmarks, scale)]))
    return sorted([*done, *live], key=lambda track: track.start)


def _follow(track: Track, small: Image.Image, scale: float) -> bool:
    """Add the points of the next frame; False where the face is lost."""
    last = (track.points[-1] + 0.5) / scale - 0.5
    low, high = last.min(axis=0), last.max(axis=0)
    width = float(high[0] - low[0])
    top = low[1] - 0.15 * width  # the detector's boxes begin above the brows
    face = points_in(small, (low[0], top, high[0], high[1]))
    moved = np.abs(face.landmarks.mean(axis=0) - last.mean(axis=0)).max()
    wide = float(np.ptp(face.landmarks[:, 0])) / max(width, 1e-6)
    if moved > JUMP * width or not 0.7 < wide < 1.4:
        return False
    track.points.append(_full(face.landmarks, scale))
    return True


def _searched(small: Image.Image, which: int | None) -> list[DetectedFace]:
    found = upright_faces(small)
    return found if which is None else found[which : which + 1]


def _same(face: DetectedFace, track: Track, scale: float) -> bool:
    theirs = track.points[-1].mean(axis=0)
    ours = _full(face.landmarks, scale)
    return bool(np.linalg.norm(ours.mean(axis=0) - theirs) < 0.6 * np.ptp(ours[:, 0]))


def _full(points: np.ndarray, scale: float) -> np.ndarray:
    return ((points + 0.5) * scale - 0.5).astype(np.float32)


def _small(frame: Image.Image) -> tuple[Image.Image, float]:
    """The frame at most `SIDE` pixels long, and how many times smaller it is."""
    scale = max(1.0, max(frame.size) / SIDE)
    if scale == 1.0:
        return frame.convert("RGB"), 1.0
    size = (round(frame.width / scale), round(frame.height / scale))
    return frame.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), scale


def _thumbnail(small: Image.Image) -> np.ndarray:
    return np.asarray(small.convert("L").resize(THUMBNAIL), np.float32) / 255


def _smoothed(values: np.ndarray) -> np.ndarray:
    """A series through a Gaussian; the ends go on as they were going."""
    reach = int(3 * SMOOTH)
    if len(values) < 3:
        return values
    before = 2 * values[0] - values[1 : reach + 1][::-1]
    after = 2 * values[-1] - values[-reach - 1 : -1][::-1]
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH) ** 2)
    whole = np.concatenate([before, values, after])
    whole = np.pad(whole, (reach - len(before), reach - len(after)), mode="edge")
    return np.convolve(whole, weights / weights.sum(), mode="valid")
