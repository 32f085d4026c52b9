"""Heads of photos turned, lit and drawn, as files."""
