"""The ways from a target to a latent offset, one a file."""
