"""Wishes in words: what a text asks of a face, read by a vocabulary and a small grammar."""
