"""What a file claims, held against the bytes that are there, before memory is taken for it."""
