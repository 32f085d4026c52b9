"""What made the bundled model: rendering, training, evaluating, packing."""
