"""Training of the bundled CLIP."""
