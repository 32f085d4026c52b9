"""Semblance: faces, their latent codes, and the editor that ties them to words and sounds."""
