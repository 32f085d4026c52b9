"""What lies on the head: skin materials, hair and beard, glasses, hats and clothes."""
