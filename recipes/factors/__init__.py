"""What a factor of the renders is in the latent space: words, goals, directions, deltas."""
