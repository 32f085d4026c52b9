"""Spoken wishes: sentences read aloud, and how many are understood."""
