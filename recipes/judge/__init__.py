"""Training of the networks that judge: attributes, identity."""
