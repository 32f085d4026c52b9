"""Make the README's picture: what the bundled model does to a face, by words, sounds and over time.

python docs/build_pictures.py [--model NAME] [--face PICTURE] [--out docs/images/overview.jpg]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from apps.clips.animate import draw_frames
from apps.clips.motion import Motion, timeline_of
from apps.edits import bundled_model
from apps.samples import faces, sounds
from apps.sheet import stack, strip
from multimodal import FaceEditor
from multimodal.images import load_image, resize, save_image, to_tensor
from multimodal.types import Face

HERE = Path(__file__).resolve().parent
SIDE = 320
"""Of each face in the picture."""
OTHER = 5
"""Which sample the last row shows."""
SECONDS = 3.0
"""Of the sound that the second row shows."""


@dataclass(frozen=True)
class Wish:
    """An edit and the label under its picture."""

    label: str
    text: str | None = None
    sound: str | None = None
    strength: float = 1.0


def wishes() -> list[Wish]:
    """What the first row shows."""
    return [*_said("a big smile", "an old person", "purple hair", "a child"), _heard(0)]


def others() -> list[Wish]:
    """What the row of another face shows."""
    return [*_said("a woman", "long hair", "bald", "a full beard"), _heard(2)]


def _said(*texts: str) -> list[Wish]:
    return [Wish(f'"{text}"', text=text) for text in texts]


def _heard(index: int) -> Wish:
    path = sounds()[index]
    return Wish(f"{path.name} (sound)", sound=str(path))


def edits_row(editor: FaceEditor, face: Face, wanted: list[Wish]) -> Image.Image:
    """The photo, and an edit each."""
    pictures, labels = [face.crop or face.aligned], ["photo"]
    for wish in wanted:
        result = editor.edit(face, text=wish.text, sound=wish.sound, strength=wish.strength)
        pictures.append(result.after)
        labels.append(wish.label)
    return strip([resize(picture, SIDE) for picture in pictures], labels)


def motion_row(editor: FaceEditor, face: Face, cells: int) -> Image.Image:
    """Frames of a clip that moves with a sound."""
    sound = sounds()[0]
    timeline = timeline_of(editor, face, Motion(sound=sound, seconds=SECONDS))
    generator = editor.generator_for(face)
    places = [round(i * (len(timeline) - 1) / (cells - 1)) for i in range(cells)]
    frames = [draw_frames(generator, face.latent, timeline, p, p + 1)[0] for p in places]
    labels = [f"{sound.name}, {place / timeline.fps:.1f} s" for place in places]
    drawn = [to_tensor(Image.fromarray(frame)) for frame in frames]
    return strip([resize(editor.finish(face, one).face, SIDE) for one in drawn], labels)


def main() -> None:
    """Read the command line, draw the rows, write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default=None, help="default: the bundled one")
    parser.add_argument("--face", type=Path, nargs="*", help="default: a sample")
    parser.add_argument("--out", type=Path, default=HERE / "images" / "overview.jpg")
    given = parser.parse_args()
    editor = FaceEditor.from_pretrained(given.model or bundled_model())
    rows = []
    for path in given.face or faces()[4:5]:
        face = editor.invert(load_image(path), "encoder")
        first = edits_row(editor, face, wishes())
        rows += [first, motion_row(editor, face, len(wishes()) + 1)]
    if not given.face:
        face = editor.invert(load_image(faces()[OTHER]), "encoder")
        rows.append(edits_row(editor, face, others()))
    print(save_image(stack(rows), given.out, "What Semblance does to a face"))


if __name__ == "__main__":
    main()
