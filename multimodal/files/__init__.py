"""Files: weights and their digests, bundles and variants, saved faces, marks in pictures."""
