"""Sounds: reading, features, encoders into the text space, and envelopes over time."""
