"""A sound over time moves a face: an MP4 with the sound in it, and a GIF driven by prompts.

python examples/animate.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

from common import start

from apps.clips.motion import Motion, animate
from apps.samples import faces, sounds
from multimodal.files.weights import atomic

PROMPTS = """1
00:00:00,300 --> 00:00:00,900
a smiling face

2
00:00:00,900 --> 00:00:01,500
a surprised face
"""


def main() -> None:
    """Loudness drives the strength, content drives the direction; or prompts with times do."""
    options = start(__doc__)
    editor = options.editor()
    face = editor.invert(faces()[0])
    laugh = Motion(sound=sounds()[0], seconds=2.0, fps=12.0)
    print(animate(editor, face, laugh, options.out / "laugh.mp4"))
    track = options.out / "prompts.srt"
    with atomic(track) as part:
        part.write_text(PROMPTS, encoding="utf-8")
    print(animate(editor, face, Motion(track=track, fps=8.0), options.out / "prompts.gif"))


if __name__ == "__main__":
    main()
