"""Guidance: targets in one embedding space and the methods that turn them into latent offsets."""
