"""The head's shape: morphs, expressions, pose, landmarks, masks over its skin."""
