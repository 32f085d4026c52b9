"""Measuring what was trained; `python -m recipes.evaluate` writes the card's figures."""
