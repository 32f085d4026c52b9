"""Pictures mended by the code whose drawing, degraded in the same way, equals what is there."""

from __future__ import annotations

from multimodal.restoration.degradations import TASKS, Degradation, degradation
from multimodal.restoration.restore import METHODS, Restored, restore

__all__ = ["METHODS", "TASKS", "Degradation", "Restored", "degradation", "restore"]
