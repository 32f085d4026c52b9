"""Things that an edit puts into a photo: open mouths, glasses, beards, bald heads."""
