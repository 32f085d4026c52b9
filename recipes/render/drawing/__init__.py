"""Assets read from disk, lighting, background, and the rasteriser."""
