"""Wishes said aloud."""
