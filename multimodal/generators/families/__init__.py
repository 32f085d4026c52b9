"""Generators beside StyleGAN2, one readable file a family; `catalogue` lists them."""
