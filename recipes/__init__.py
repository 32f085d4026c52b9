"""What made the bundled model: rendering, training, evaluating, packing; a room for each part."""

from recipes.moved import forward

forward()
