"""An edit of a whole film: faces followed, changed photo-true in every frame, the sound kept.

Every shot of a face is inverted at a few of its frames; the code between two of them is a mixture
of theirs, so drawings move evenly. The edit is worked out once a shot. Finished frames wait in a
folder beside the film until it is whole, so that the same command goes on after an interruption.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from apps.clips.animate import cache_key
from apps.clips.reading import Film, frames_of, read_film
from apps.clips.video import MARK
from apps.edits import EditSpec, edit_face
from guidance.common import apply_offset, draw
from multimodal.editing.finishing import DRAWING
from multimodal.faces.align import FaceTransform, cut
from multimodal.faces.native import native_crop
from multimodal.faces.tracking import Track, track_faces
from multimodal.fidelity import Subject, subject_of, transfer
from multimodal.files.weights import atomic
from multimodal.types import Face, Latent, Offset

if TYPE_CHECKING:
    from multimodal import FaceEditor

KEY_SECONDS = 2.0
"""Between two frames of a shot that are inverted."""
LEAST_FRAMES = 3
"""Shorter tracks are taken for mistakes."""
CALM = 0.6
"""Share of the newest mesh in the followed one: points tremble from frame to frame."""

OnFrames = Callable[[int, int, str], None]
"""Called with (frames done, frames planned, what is being done)."""


Ahead = Callable[["Film", "Sequence[Shot]", Path, OnFrames], None]
"""Called with (film, shots, folder, progress) before the film is written: may draw frames into the
folder by other means."""


@dataclass(frozen=True)
class Filming:
    """How a film is edited.

    Args:
        spec: what changes.
        inversion: how the key frames are inverted.
        face: only the face of that index, largest first; None edits all.
    """

    spec: EditSpec
    inversion: str = "encoder"
    face: int | None = None


@dataclass(frozen=True, eq=False)
class Shot:
    """An edited track.

    Args:
        track: the face.
        places: where its crop lies in every frame.
        keys: frames, from the track's first, that were inverted.
        codes: their codes `[K, L, D]`.
        offset: the change, and how far it goes.
    """

    track: Track
    places: list[FaceTransform]
    keys: list[int]
    codes: Tensor
    offset: Offset
    strength: float

    def code(self, index: int) -> Tensor:
        """The code `[1, L, D]` of a frame of the track."""
        at = float(np.interp(index, self.keys, np.arange(len(self.keys))))
        low = int(at)
        high = min(low + 1, len(self.keys) - 1)
        return torch.lerp(self.codes[low], self.codes[high], at - low)[None]


def edit_film(
    editor: FaceEditor,
    path: Path,
    out: Path,
    how: Filming,
    on_frames: OnFrames | None = None,
    ahead: Ahead | None = None,
) -> dict[str, Any]:
    """Write an edited film; run again after an interruption, it goes on where it stopped.

    Args:
        editor: of the model that edits.
        path: the film.
        out: `.mp4`.
        how: what changes in whom.
        on_frames: progress.
        ahead: draws frames by other means, see `apps.clips.segments`; None draws one after another.

    Returns:
        what was done: frames, shots, and how many frames had no face.

    Raises:
        FileNotFoundError: no such film.
        ValueError: no film, no face in it, or another suffix than `.mp4`.
    """
    if out.suffix.lower() != ".mp4":
        raise ValueError(f"cannot write a film as {out.name!r}: end the name in .mp4")
    if out.resolve() == path.resolve():
        raise ValueError(f"--out {out} would overwrite what is read")
    film, tell = read_film(path), on_frames or (lambda done, total, what: None)
    tracks = [t for t in track_faces(_told(film, tell), how.face) if len(t.points) >= LEAST_FRAMES]
    if not tracks:
        raise ValueError(f"no face found in {path.name} that can be followed")
    shots = [_shot(editor, film, track, how) for track in tracks]
    stat = path.stat()
    key = cache_key(str(path.resolve()), stat.st_size, stat.st_mtime_ns, repr(how), editor.name)
    folder = out.with_name(f".{out.stem}.{key}.film")
    folder.mkdir(parents=True, exist_ok=True)
    if ahead is not None:
        ahead(film, shots, folder, tell)
    _write(film, out, _finished(editor, film, shots, folder, tell))
    shutil.rmtree(folder, ignore_errors=True)
    faceless = film.frames - len({n for t in tracks for n in range(t.start, t.stop)})
    return {"frames": film.frames, "shots": len(shots), "without a face": faceless}


def _told(film: Film, tell: OnFrames) -> Iterator[Image.Image]:
    for number, frame in enumerate(frames_of(film.path)):
        yield frame
        tell(number + 1, film.frames, "following faces")


def _shot(editor: FaceEditor, film: Film, track: Track, how: Filming) -> Shot:
    """Invert a track's key frames and work out its edit at the first."""
    size = editor.generator.resolution
    places = track.places(size)
    apart = max(1, round(KEY_SECONDS * film.rate))
    keys = sorted({*range(0, len(places), apart), len(places) - 1})
    faces = [
        editor.invert(crop, how.inversion, aligned=True, seed=how.spec.seed)
        for crop in _crops(film, track, places, keys)
    ]
    made = edit_face(editor, faces[0], replace(how.spec, fidelity=DRAWING))
    codes = torch.cat([face.latent.w for face in faces])
    strength = float(made.scores.get("strength", 1.0))
    return Shot(track, places, keys, codes, made.offset, strength)


def _crops(
    film: Film, track: Track, places: list[FaceTransform], keys: list[int]
) -> list[Image.Image]:
    wanted = {track.start + key: key for key in keys}
    found = []
    for number, frame in enumerate(frames_of(film.path)):
        if number in wanted:
            found.append(cut(frame, places[wanted[number]]))
        if number >= track.stop:
            break
    return found


def _finished(
    editor: FaceEditor, film: Film, shots: list[Shot], folder: Path, tell: OnFrames
) -> Iterator[Image.Image]:
    """The edited frames, those of an earlier run from their folder."""
    calm: dict[int, np.ndarray] = {}
    for number, frame in enumerate(frames_of(film.path)):
        yield finished_frame(editor, frame, shots, number, folder, calm)[0]
        tell(number + 1, film.frames, "editing frames")


def finished_frame(
    editor: FaceEditor,
    frame: Image.Image,
    shots: Sequence[Shot],
    number: int,
    folder: Path | None,
    calm: dict[int, np.ndarray],
) -> tuple[Image.Image, bool]:
    """A frame edited, and whether it was drawn now: one of an earlier run is taken from its folder.

    Args:
        editor: draws.
        frame: as it is in the film.
        shots: all of the film.
        number: of the frame.
        folder: where finished frames are kept, or None: it is not.
        calm: meshes of the frame before, changed.
    """
    kept = None if folder is None else folder / f"{number:06}.png"
    edited = None if kept is None else _kept(kept, frame.size)
    if edited is not None:
        return edited, False
    edited = frame
    for index, shot in enumerate(shots):
        if shot.track.start <= number < shot.track.stop:
            edited = _changed(editor, edited, shot, number, index, calm)
    if kept is not None:
        with atomic(kept) as part:
            edited.save(part, compress_level=1)
    return edited, True


def _kept(path: Path, size: tuple[int, int]) -> Image.Image | None:
    """A frame of an earlier run, or None: there is none, or it is damaged."""
    try:
        with Image.open(path) as image:
            found = image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    return found if found.size == size else None


@torch.no_grad()
def _changed(
    editor: FaceEditor,
    frame: Image.Image,
    shot: Shot,
    number: int,
    index: int,
    calm: dict[int, np.ndarray],
) -> Image.Image:
    at = number - shot.track.start
    rest = Latent(shot.code(at).to(editor.device))
    face = Face(rest, frame)
    generator = editor.generator_for(face)
    drawn = draw(generator, rest)
    after = draw(generator, apply_offset(generator, rest, shot.offset, shot.strength))
    place = shot.places[at]
    crop = native_crop(frame, place, drawn.shape[-1])
    subject = _calmed(subject_of(frame, place, crop, drawn.shape[-1]), index, calm)
    return transfer(subject, drawn, after, shot.offset.scaled(shot.strength).meant).photo


def _calmed(subject: Subject, index: int, calm: dict[int, np.ndarray]) -> Subject:
    """The subject with a mesh that does not tremble."""
    last = calm.get(index)
    mesh = subject.mesh if last is None else CALM * subject.mesh + (1 - CALM) * last
    calm[index] = mesh
    return replace(subject, mesh=mesh)


def _write(film: Film, out: Path, frames: Iterator[Image.Image]) -> None:
    """H.264 at the film's own times, with its own sound."""
    import av

    with atomic(out) as part, av.open(str(part), "w", format="mp4") as target:
        target.metadata["comment"] = MARK
        first = next(frames)
        video = target.add_stream("libx264", rate=film.rate, options={"crf": "16"})
        video.width, video.height = (side + side % 2 for side in first.size)
        video.pix_fmt, video.time_base = "yuv420p", film.time_base
        source = av.open(str(film.path)) if film.sound else None
        sound: Any = source.streams.audio[0] if source else None
        copied: Any = target.add_stream_from_template(sound) if sound else None
        for time, frame in zip(film.times, _with_first(first, frames), strict=False):
            _encode(target, video, frame, time - film.times[0], film.time_base)
        for packet in video.encode(None):
            target.mux(packet)
        if source is not None:
            for packet in source.demux(sound):
                if packet.dts is not None:
                    packet.stream = copied
                    target.mux(packet)
            source.close()


def _with_first(first: Image.Image, rest: Iterator[Image.Image]) -> Iterator[Image.Image]:
    yield first
    yield from rest


def _encode(target: Any, stream: Any, frame: Image.Image, time: int, base: Fraction) -> None:
    import av

    extra = ((0, stream.height - frame.height), (0, stream.width - frame.width), (0, 0))
    picture = av.VideoFrame.from_ndarray(np.pad(np.asarray(frame), extra, mode="edge"))
    picture.pts, picture.time_base = time, base
    for packet in stream.encode(picture):
        target.mux(packet)
