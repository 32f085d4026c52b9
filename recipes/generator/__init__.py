"""Training of the generator with its encoder, its mapping network, its portraits."""
