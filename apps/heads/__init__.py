"""Heads as files: turned, lit, labelled, drawn."""
