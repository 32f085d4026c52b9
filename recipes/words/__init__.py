"""Words: the wordings taught, and the text encoder."""
