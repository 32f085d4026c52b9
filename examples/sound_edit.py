"""Sounds change a face: a laugh, a baby's cry and a scream, and what is heard in each.

python examples/sound_edit.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

from common import start

from apps.hearing import heard
from apps.samples import faces, sounds
from apps.sheet import strip
from multimodal.images import save_image


def main() -> None:
    """The same call as for words, with `sound=` in place of `text=`."""
    options = start(__doc__)
    editor = options.editor()
    face = editor.invert(faces()[1])
    pictures, labels = [face.crop or face.aligned], ["before"]
    for sound in sounds()[:3]:
        best = next(iter(heard(editor, sound)))
        print(f"{sound.name}: sounds like {best}")
        pictures.append(editor.edit(face, sound=str(sound)).after)
        labels.append(best)
    print(save_image(strip(pictures, labels), options.out / "sound_edit.png", "edited by sounds"))


if __name__ == "__main__":
    main()
