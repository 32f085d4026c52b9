"""Training of an encoder for a generator that is there."""
