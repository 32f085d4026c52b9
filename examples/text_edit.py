"""Words change a face: one prompt at four strengths, side by side.

python examples/text_edit.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

from common import start

from apps.samples import faces
from apps.sheet import strip
from multimodal.images import save_image

TEXT = "an old person with grey hair"
STRENGTHS = (-1.0, 0.5, 1.0, 1.5)


def main() -> None:
    """Invert once, edit once; every further strength costs one synthesis."""
    options = start(__doc__)
    editor = options.editor()
    face = editor.invert(faces()[0])
    result = editor.edit(face, text=TEXT)
    drawn = [editor.apply(face, result.offset, strength) for strength in STRENGTHS]
    labels = ["before", *(f"{strength:+.1f}" for strength in STRENGTHS)]
    sheet = strip([result.before, *drawn], labels)
    print(save_image(sheet, options.out / "text_edit.png", TEXT))


if __name__ == "__main__":
    main()
