"""Data, texts, augmentation and teacher of the sound encoder's training."""
