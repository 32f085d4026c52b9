"""Training of one model on photographs and renders together."""
