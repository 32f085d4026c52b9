"""Where the vocabulary of wishes comes from: WordNet, named colours, captions."""
