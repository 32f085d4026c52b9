"""Speech to words: what somebody wishes for aloud."""
