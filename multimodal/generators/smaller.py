"""Drawing at a smaller side than the generator's own: there shapes are learnt for less."""

from __future__ import annotations

from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2


def drawn_at(generator: StyleGAN2, w_plus: Tensor, side: int) -> Tensor:
    """What the skip connections have painted by the resolution `side`, `[B, 3, side, side]`.

    A StyleGAN2 with skips (Karras et al. 2020, section 4.1) paints each resolution onto the
    enlarged one below, so its first blocks are a generator of smaller pictures.

    Args:
        generator: draws without noise.
        w_plus: codes `[B, L, D]`.
        side: one of the generator's resolutions.
    """
    if side >= generator.resolution:
        return generator.synthesize(w_plus, noise="none")
    network = generator.synthesis
    const = network.blocks[0].const
    x = const.to(generator.dtype).expand(len(w_plus), *const.shape)
    image: Tensor | None = None
    row = 0
    for block in network.blocks:
        if block.resolution > side:
            break
        for conv in block.convs:
            x = conv(x, conv.affine(w_plus[:, row]), None)
            row += 1
        rgb = block.torgb(x, block.torgb.affine(w_plus[:, row]))
        image = rgb if image is None else block.upsample(image) + rgb
    assert image is not None
    return image


def features_at(generator: StyleGAN2, w_plus: Tensor, side: int) -> Tensor:
    """What the last convolution of the resolution `side` makes of codes, `[B, C, side, side]`, in
    float32.

    Args:
        generator: draws with its stored noise, as it does for people.
        w_plus: codes `[B, L, D]`.
        side: one of the generator's resolutions.
    """
    network = generator.synthesis
    const = network.blocks[0].const
    x = const.to(generator.dtype).expand(len(w_plus), *const.shape)
    convs = [conv for block in network.blocks if block.resolution <= side for conv in block.convs]
    for row, conv in enumerate(convs):
        x = conv(x, conv.affine(w_plus[:, row]), conv.noise_const[None, None])
    return x.float()
