"""Putting what was trained into the bundle, with its card; `python -m recipes.pack`."""
