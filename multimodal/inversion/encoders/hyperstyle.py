"""HyperStyle as an encoder: a code by its first encoder, then weights by its hypernetwork.

The public files are two: `hyperstyle_ffhq.pt` (hypernetwork and generator) and the first encoder
(`faces_w_encoder.pt`), which is looked for beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from multimodal.generators.stylegan2 import StyleGAN2
from multimodal.inversion.encoders.encoder_files import load_strictly
from multimodal.inversion.encoders.face_encoder import FaceEncoder
from multimodal.inversion.encoders.hyper_network import HyperNetwork, layer_table
from multimodal.inversion.encoders.small_hyper import SmallHyperNetwork
from multimodal.types import Generator

PASSES = 5
TYPES = {"SharedWeightsHyperNetResNet": False, "SharedWeightsHyperNetResNetSeparable": True}
ALIAS = re.compile(r"refinement_blocks\.\d+\.hypernet\.(\w+)")
_NO_FIRST = (
    "HyperStyle needs its first encoder (faces_w_encoder.pt): put it beside the hypernetwork's "
    "file, or set encoder.first"
)


class HyperStyle(FaceEncoder):
    """A hypernetwork with its first encoder and its generator.

    Called, it gives the first encoder's codes, as any encoder; `refine` gives the changes of the
    generator's weights too, which the inversion method "hyperstyle" turns into a face's own.

    Args:
        network: the hypernetwork.
        first: gives the code, or None where its file was not found.
        generator: the StyleGAN2 that is changed.
    """

    network: HyperNetwork | SmallHyperNetwork

    def __init__(
        self,
        network: HyperNetwork | SmallHyperNetwork,
        first: FaceEncoder | None,
        generator: Generator | None,
    ) -> None:
        small = isinstance(network, SmallHyperNetwork)
        super().__init__(network, None, 1 if small else PASSES, generator)
        self.first = first

    @property
    def num_layers(self) -> int:
        """Rows L of the codes."""
        return 2 * (sum(layer.kernel > 0 for layer in self.network.layers) + 1) // 3

    @property
    def sees_reconstruction(self) -> bool:
        """Its codes come from one look; the reconstruction is for the weights."""
        return False

    def to(self, device: torch.device | str) -> HyperStyle:
        """Move the weights; returns self."""
        self.network.to(device)
        if self.first is not None:
            self.first.to(device)
        return self

    def __call__(self, images: Tensor, passes: int | None = None) -> Tensor:
        """Codes `[B, L, 512]` of faces `[B, 3, 256, 256]`, by the first encoder.

        Raises:
            ValueError: there is none.
        """
        if self.first is None:
            raise ValueError(_NO_FIRST)
        return self.first(images) if passes is None else self.first(images, passes)

    def deltas(self, images: Tensor) -> list[Tensor | None]:
        """One pass: pictures and reconstructions `[B, 6, 256, 256]` to a change a layer."""
        if images.ndim != 4 or images.shape[1] != 6:
            raise ValueError(f"images have shape {tuple(images.shape)}, expected [B, 6, 256, 256]")
        return self.network(images.to(self.device).float())

    @torch.no_grad()
    def refine(
        self,
        image: Tensor,
        passes: int | None = None,
        on_pass: Callable[[int, Tensor], None] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """A face's code and weights (paper, section 3.4).

        Args:
            image: one face `[1, 3, H, W]` in [-1, 1].
            passes: looks at the reconstruction, by default 5, or 1 of our own network; their
                changes add up.
            on_pass: told of every pass, with the picture before it.

        Returns:
            w_plus `[1, L, 512]` and the changed weights `W (1 + delta)` by state-dict key.

        Raises:
            ValueError: no first encoder, no StyleGAN2 that the network was made for, or more than
                one face.
        """
        generator = self._generator()
        if len(image) != 1:
            raise ValueError(f"{len(image)} faces given: every face has its own weights, give one")
        seen = self._checked(image)
        w_plus, total, tuned = self(seen), dict[str, Tensor](), dict[str, Tensor]()
        original = generator.state_dict()
        for index in range(self.passes if passes is None else passes):
            picture = draw_with(generator, w_plus, tuned)
            if on_pass is not None:
                on_pass(index, picture)
            shown = torch.nn.functional.adaptive_avg_pool2d(picture.to(seen), seen.shape[-1])
            found = self.deltas(torch.cat([seen, shown], dim=1))
            for layer, change in zip(self.network.layers, found, strict=True):
                if change is not None:
                    moved = change[0].to(generator.device)
                    total[layer.key] = total[layer.key] + moved if index else moved
            tuned = changed(original, total)
        return w_plus, tuned

    def _generator(self) -> StyleGAN2:
        generator = self.generator
        if not isinstance(generator, StyleGAN2):
            kind = getattr(generator, "family", "none")
            raise ValueError(f"HyperStyle changes a StyleGAN2's weights; its generator is {kind}")
        state = generator.state_dict()
        for layer in (layer for layer in self.network.layers if layer.kernel):
            wanted = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
            held = state.get(layer.key)
            if held is None or tuple(held.shape) != wanted:
                raise ValueError(
                    f"this hypernetwork was made for a StyleGAN2 whose {layer.key} is {wanted}"
                )
        return generator


def changed(original: Mapping[str, Tensor], changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights `W (1 + delta)` by state-dict key; features, which a generator has none of, as they
    are."""
    return {
        key: original[key] * (1 + change) if key in original else change
        for key, change in changes.items()
    }


def draw_with(generator: StyleGAN2, w_plus: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """The picture of a code with some of the generator's weights replaced."""
    code = w_plus.to(generator.device)
    if not weights:
        return generator.synthesize(code)
    return torch.func.functional_call(generator, dict(weights), (code,))


def read_network(
    state: Mapping[str, Tensor], options: Mapping[str, Any], source: str
) -> HyperNetwork:
    """The hypernetwork of a public file's state dict.

    Args:
        state: tensors, keys with `hypernet.` in front.
        options: `opts` of the file.
        source: the file's name, for messages.

    Raises:
        ValueError: another kind of hypernetwork, or missing, extra or misshaped tensors.
    """
    kind = str(options.get("encoder_type", "SharedWeightsHyperNetResNet"))
    if kind not in TYPES:
        raise ValueError(f"{source}: encoder_type {kind!r:.60} is not one of {', '.join(TYPES)}")
    own = {k.removeprefix("hypernet."): v for k, v in state.items() if k.startswith("hypernet.")}
    weights = without_aliases(own, source)
    found = {m[1] for m in map(re.compile(r"refinement_blocks\.(\d+)\.").match, weights) if m}
    tuned, size = sorted(map(int, found)), int(options.get("output_size", 1024))
    layers = layer_table(size)
    if not tuned or tuned[-1] >= len(layers):
        raise ValueError(f"{source}: layers {tuned} are not those of a {size} px StyleGAN2")
    with torch.device("meta"):
        network = HyperNetwork(size, tuned, TYPES[kind])
    load_strictly(network, weights, source)
    return network


def without_aliases(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The tensors without the shared matrices' other names: those are half a gigabyte each.

    Raises:
        ValueError: a block's matrix is another one than the shared one.
    """
    kept = {}
    for key, tensor in state.items():
        match = ALIAS.fullmatch(key)
        if match is None:
            kept[key] = tensor
            continue
        shared = state.get(f"shared_weight_hypernet.{match[1]}")
        if shared is None or not (_one_memory(shared, tensor) or torch.equal(shared, tensor)):
            raise ValueError(f"{source}: {key} is not the shared matrix that it should be")
    return kept


def _one_memory(one: Tensor, other: Tensor) -> bool:
    same = one.data_ptr() == other.data_ptr() and one.shape == other.shape
    return same and one.stride() == other.stride()
