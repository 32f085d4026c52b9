"""What the sound encoder hears, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multimodal import FaceEditor

DEAF = "this model does not hear: it has no sound encoder"


def heard(editor: FaceEditor, path: Path, count: int = 5) -> dict[str, float]:
    """The texts that name a sound best, with their shares, best first.

    Raises:
        ValueError: a model without a sound encoder, or a sound that cannot be read.
    """
    from audio.alignment import SoundEmbedder
    from audio.listen import listen

    tools = editor.toolkit
    if not isinstance(tools.sound, SoundEmbedder):
        raise ValueError(DEAF)
    ranked = listen(tools.sound, lambda texts: tools.clip.encode_text(texts), path)
    return dict(ranked[:count])
