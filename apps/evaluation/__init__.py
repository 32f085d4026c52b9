"""Measures a model: inversion, edits by words and by sounds, speed; writes figures and pictures."""
