"""What a render is called: captions, wordings, the vocabulary, what is held out."""
