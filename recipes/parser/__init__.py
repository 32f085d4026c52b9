"""The parser: labelled renders, photographs with the labels that other networks give, training."""
