"""Semblance: faces, their latent codes, and the editor that ties them to words and sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodal.editing.editor import FaceEditor

__all__ = ["FaceEditor"]


def __getattr__(name: str) -> Any:
    """Import the editor on first use, so that `import multimodal` stays instant."""
    if name == "FaceEditor":
        from multimodal.editing.editor import FaceEditor

        return FaceEditor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
