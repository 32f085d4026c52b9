"""Words and a sound in one edit, from all words to all sound.

python examples/mix.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

from common import start

from apps.samples import faces, sounds
from apps.sheet import strip
from multimodal.images import save_image

TEXT = "a person with red hair"
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    """Both become points of one embedding space; `mix` is the sound's share of their sum."""
    options = start(__doc__)
    editor = options.editor()
    face, laugh = editor.invert(faces()[0]), str(sounds()[0])
    results = [editor.edit(face, text=TEXT, sound=laugh, mix=share) for share in SHARES]
    pictures = [results[0].before, *(result.after for result in results)]
    labels = ["before", *(f"{share:.0%} laugh" for share in SHARES)]
    sheet = strip(pictures, labels)
    print(save_image(sheet, options.out / "mix.png", f"{TEXT}, and a laugh"))


if __name__ == "__main__":
    main()
