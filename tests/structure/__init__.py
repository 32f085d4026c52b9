"""The bounds of the house: size of rooms, files and functions, direction of imports, repetition."""
