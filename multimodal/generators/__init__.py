"""Generators: the StyleGAN2 network, its checkpoint formats and the registry of models."""
