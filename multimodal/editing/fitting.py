"""Whether a face belongs to the generator at hand: codes of another model are refused by name."""

from __future__ import annotations

from multimodal.types import Generator, Latent


def check_code(generator: Generator, latent: Latent, name: str = "the face") -> None:
    """Refuse a code that the generator cannot draw.

    Args:
        generator: draws.
        latent: the code.
        name: whose it is, for the message.

    Raises:
        ValueError: its rows, its styles or its noise are those of another model.
    """
    expected = (1, generator.num_layers, generator.style_dim)
    if tuple(latent.w.shape) != expected:
        raise ValueError(f"{name} holds a code {tuple(latent.w.shape)}; this model has {expected}")
    if latent.styles is not None:
        sizes = [tuple(style.shape) for style in generator.styles(latent.w.to(generator.device))]
        if [tuple(style.shape) for style in latent.styles] != sizes:
            raise ValueError(f"{name} holds style vectors of another model")
