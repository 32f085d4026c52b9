"""Edits that change a photo instead of replacing it by a drawing.

The generator's drawings before and after an edit say what changes; every pixel that the edit has no
reason to touch stays the photo's own, at the photo's own resolution.
"""

from multimodal.fidelity.drawn import Drawn, drawn_of
from multimodal.fidelity.subjects import Subject, subject_of
from multimodal.fidelity.transfer import Edited, transfer

__all__ = ["Drawn", "Edited", "Subject", "drawn_of", "subject_of", "transfer"]
