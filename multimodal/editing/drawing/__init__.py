"""Faces from what somebody draws: strokes of colour, lines, or a map of parts."""

from multimodal.editing.drawing.conditions import CONDITIONS, Condition, Drawn
from multimodal.editing.drawing.faces import DrawOptions, draw_faces, square
from multimodal.editing.drawing.quick import QuickFaces

__all__ = ["CONDITIONS", "Condition", "DrawOptions", "Drawn", "QuickFaces", "draw_faces", "square"]
