"""Colours that an edit changes in a photo: of hair, skin and lips."""
