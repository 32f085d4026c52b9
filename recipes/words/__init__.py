"""Where the vocabulary of wishes comes from: WordNet, a list of colours, the captions' own words."""
