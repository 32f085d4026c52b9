"""From an aligned face to a latent code: learned, optimised and hybrid inversion."""
