"""Beards that come, and beards that go."""
