"""Ways to invert, one file each: what `multimodal.inversion.invert` offers by name."""
