"""``python -m recipes.evaluate``."""

from recipes.evaluate.evaluate import main

if __name__ == "__main__":
    main()
