"""An encoder with everything a call needs: average code, passes, the generator between them."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.inversion.encoders.bundle_encoder import BundleEncoder
from multimodal.types import Generator

INPUT_SIDE = 256


class FaceEncoder:
    """An encoder with everything a call needs; satisfies `multimodal.types.Encoder`.

    ReStyle encoders (and feedback bundle encoders) look at their own reconstruction, so they need
    the generator: it comes with their file, or `attach` gives one.

    Args:
        network: `PyramidEncoder`, `LastMapEncoder`, ... or `BundleEncoder`.
        latent_avg: `[L, D]` added to the network's codes, or None.
        passes: how often the network looks (1: once; ReStyle: 5).
        generator: draws the reconstructions between passes, or None.

    `hyper` is the file of a hypernetwork that goes with it, or None.
    """

    def __init__(
        self,
        network: nn.Module,
        latent_avg: Tensor | None = None,
        passes: int = 1,
        generator: Generator | None = None,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.latent_avg = latent_avg
        self.passes = passes
        self.generator = generator
        self.hyper: Path | None = None
        self._average_face: Tensor | None = None

    @property
    def num_layers(self) -> int:
        """Rows L of the codes."""
        if isinstance(self.network, BundleEncoder):
            return self.network.config.num_layers
        return int(self.network.num_layers)  # type: ignore[arg-type]

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.network.parameters()).device

    @property
    def sees_reconstruction(self) -> bool:
        """Whether the network takes its reconstruction as a second picture."""
        if isinstance(self.network, BundleEncoder):
            return self.network.config.feedback
        return self.network.input_layer[0].in_channels == 6  # type: ignore[index, union-attr]

    def attach(self, generator: Generator) -> FaceEncoder:
        """Draw the reconstructions between passes with `generator`; returns self.

        Raises:
            ValueError: its codes have another number of rows than this encoder's.
        """
        if generator.num_layers != self.num_layers:
            raise ValueError(
                f"the encoder predicts {self.num_layers} rows of W+, "
                f"the generator takes {generator.num_layers}"
            )
        self.generator, self._average_face = generator, None
        return self

    def to(self, device: torch.device | str) -> FaceEncoder:
        """Move the weights; returns self."""
        self.network.to(device)
        if self.latent_avg is not None:
            self.latent_avg = self.latent_avg.to(device)
        self._average_face = None
        return self

    def __call__(self, images: Tensor, passes: int | None = None) -> Tensor:
        """Codes of faces; differentiable with respect to `images`.

        Args:
            images: `[B, 3, 256, 256]` in [-1, 1] (other sizes are resized), or `[B, 6, 256, 256]`
                with a reconstruction for one pass of a ReStyle network.
            passes: overrides the encoder's own number of passes.

        Returns:
            w_plus `[B, L, D]`.

        Raises:
            ValueError: a wrong shape, or passes without a generator to draw with.
        """
        images = self._checked(images)
        if images.shape[1] == 6:
            return self._one_pass(images)
        count = self.passes if passes is None else passes
        w_plus = self._first(images)
        for _ in range(count - 1 if self.sees_reconstruction else 0):
            w_plus = w_plus + self._correction(images, w_plus)
        return w_plus

    def _one_pass(self, images: Tensor) -> Tensor:
        if isinstance(self.network, BundleEncoder):
            return self.network(images[:, :3], images[:, 3:])
        return self._centred(self.network(images))

    def _first(self, images: Tensor) -> Tensor:
        if isinstance(self.network, BundleEncoder):
            return self.network(images)
        if self.sees_reconstruction:
            average = self._draw_average().expand_as(images)
            return self._centred(self.network(torch.cat([images, average], dim=1)))
        return self._centred(self.network(images))

    def _correction(self, images: Tensor, w_plus: Tensor) -> Tensor:
        seen = self._draw(w_plus)
        if isinstance(self.network, BundleEncoder):
            return self.network(images, seen)
        return self.network(torch.cat([images, seen], dim=1))

    def _centred(self, codes: Tensor) -> Tensor:
        return codes if self.latent_avg is None else codes + self.latent_avg

    def _draw(self, w_plus: Tensor) -> Tensor:
        if self.generator is None:
            raise ValueError(
                "this encoder refines its own reconstruction, but its file has no generator: "
                "give one with encoder.attach(generator)"
            )
        image = self.generator.synthesize(w_plus.to(self.generator.device)).to(w_plus.device)
        return F.adaptive_avg_pool2d(image, INPUT_SIDE)

    def _draw_average(self) -> Tensor:
        """The picture of the average code, where ReStyle starts from."""
        if self._average_face is None:
            average = self.latent_avg
            if average is None and self.generator is not None:
                average = self.generator.w_avg.expand(self.num_layers, -1).to(self.device)
            if average is None:
                average = torch.zeros(self.num_layers, 512, device=self.device)
            with torch.no_grad():
                self._average_face = self._draw(average[None])
        return self._average_face

    def _checked(self, images: Tensor) -> Tensor:
        channels = (3, 6) if self.sees_reconstruction else (3,)
        if images.ndim != 4 or images.shape[1] not in channels:
            raise ValueError(
                f"images have shape {tuple(images.shape)}, expected "
                f"[B, {' or '.join(map(str, channels))}, {INPUT_SIDE}, {INPUT_SIDE}]"
            )
        images = images.to(self.device).float()
        if images.shape[-2:] == (INPUT_SIDE, INPUT_SIDE) or isinstance(self.network, BundleEncoder):
            return images
        if min(images.shape[-2:]) > INPUT_SIDE:
            return F.adaptive_avg_pool2d(images, INPUT_SIDE)
        size = (INPUT_SIDE, INPUT_SIDE)
        return F.interpolate(images, size, mode="bilinear", align_corners=False)
