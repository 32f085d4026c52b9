"""Things that an edit puts into a photo: glasses, beards, bald heads."""
