"""What the sound encoder hears, in words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from audio.alignment import SoundEmbedder
    from audio.hearing.heard import Heard
    from audio.listen import TextEmbedder
    from multimodal import FaceEditor

DEAF = "this model does not hear: it has no sound encoder"


def heard(editor: FaceEditor, path: Path, count: int = 5) -> dict[str, float]:
    """The texts that name a sound best, with their shares, best first.

    Raises:
        ValueError: a model without a sound encoder, or a sound that cannot be read.
    """
    from audio.listen import listen

    embedder = _embedder(editor)
    known = embedder.heard(path)
    if known is not None:
        return dict(known.sounds[:count])
    return dict(listen(*_ears(embedder, editor.toolkit.clip), path)[:count])


def told(editor: FaceEditor, path: Path) -> Heard | None:
    """What a sound was heard as and the words that it became; None of ears that know no words.

    Raises:
        ValueError: a model without a sound encoder, or a sound that cannot be read.
    """
    return _embedder(editor).heard(path)


def over_time(editor: FaceEditor, path: Path) -> tuple[float, list[Heard]]:
    """What was heard from moment to moment, and the seconds between moments.

    Raises:
        ValueError: a model without a sound encoder, or a sound that cannot be read.
    """
    return _embedder(editor).moments(path)


def _embedder(editor: FaceEditor) -> SoundEmbedder:
    from audio.alignment import SoundEmbedder

    if not isinstance(editor.toolkit.sound, SoundEmbedder):
        raise ValueError(DEAF)
    return editor.toolkit.sound


def warnings_of(path: Path, seconds: float | None = None) -> tuple[str, ...]:
    """What a person should know about a sound before it is used ("the recording is clipped").

    Args:
        path: the sound.
        seconds: how much of it will be heard; as much as for one edit when None.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a sound that cannot be read.
    """
    from audio.alignment import LONGEST_S
    from audio.io import load_sound

    return load_sound(path, LONGEST_S if seconds is None else seconds).warnings


def _ears(sound: SoundEmbedder, clip: Any) -> tuple[SoundEmbedder, TextEmbedder]:
    """Sounds and texts in one space: that of sentences where both speak it, since CLIP's own space
    knows faces better than what else can be heard; else CLIP's."""
    from audio.alignment import SoundEmbedder
    from audio.encoder import SoundEncoder

    if isinstance(sound.encoder, SoundEncoder) and getattr(clip, "has_sentences", False):
        return SoundEmbedder(sound.encoder), lambda texts: clip.pooled(texts)
    return sound, lambda texts: clip.encode_text(texts)
