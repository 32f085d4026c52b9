"""``python -m recipes.pack``."""

from recipes.pack.pack import main

if __name__ == "__main__":
    main()
