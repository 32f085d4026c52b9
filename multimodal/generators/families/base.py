"""What the families beside StyleGAN2 share: their small protocol, and how one is built strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from multimodal.files.untrusted.building import within
from multimodal.files.weights import WeightsError
from multimodal.generators.layout import CheckpointError, check_keys, check_numbers
from multimodal.latents import require_space
from multimodal.types import Latent, NoiseMode, check_seed

LARGEST = 16384
"""Of any width: what a file claims is checked before memory is taken."""


@dataclass(frozen=True)
class Found:
    """A generator's weights as they lie in a file.

    Args:
        state: tensors by the file's own keys.
        source: the file's name, for messages.
        options: constructor arguments that the file or a JSON beside it tells.
        folder: where the file lies, or None.
    """

    state: Mapping[str, Tensor]
    source: str
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    def shape(self, key: str, axes: int) -> tuple[int, ...]:
        """The shape of a tensor with so many axes; raises `CheckpointError` for any other."""
        tensor = self.state.get(key)
        if tensor is None:
            raise CheckpointError(f"{self.source}: missing key {key}")
        if tensor.ndim != axes:
            raise CheckpointError(
                f"{self.source}: {key} has shape {tuple(tensor.shape)}, expected {axes} axes"
            )
        return tuple(tensor.shape)


class Network(nn.Module):
    """A generator of another family than StyleGAN2; satisfies `multimodal.types.Generator`.

    Its code is always called `w_plus`, `[B, L, D]`: rows of W+ where the family has a W, one row
    that is z (and a class's embedding) where it has none.

    Args:
        config: its shape, a frozen dataclass.
    """

    family: ClassVar[str] = ""
    spaces: ClassVar[tuple[str, ...]] = ()
    bare: ClassVar[bool] = True
    """Whether tensors alone tell all of the network, so that a state dict can be read again."""
    config_type: ClassVar[type[Any]]
    mapping: Any
    num_layers: Any
    style_dim: Any
    w_avg: Any

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.dtype = torch.float32

    @classmethod
    def read(cls, found: Found) -> tuple[dict[str, Tensor], Any]:
        """Weights by this class's own keys, and their configuration, of a public file."""
        raise NotImplementedError

    @classmethod
    def tiny(cls) -> Any:
        """The configuration of a small network for trials."""
        raise NotImplementedError

    def start(self) -> None:
        """Give the weights of a new network values (standard normal by default)."""
        for tensor in self.state_dict().values():
            tensor.normal_()

    @property
    def resolution(self) -> int:
        """Side of the picture in pixels."""
        return int(self.config.resolution)

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return next(self.parameters()).device

    def first_map(self) -> Tensor | None:
        """The linear map `[F, D]` from a code to the first features, or None where the family has
        styles instead."""
        return None

    def stages(self) -> list[Callable[[Tensor], Tensor]]:
        """The network as functions to be called one after another on a code `[B, 1, D]`.

        Raises:
            ValueError: the family cannot be cut into such.
        """
        raise ValueError(f"{self.family} cannot be taken apart layer by layer: its layers share w")

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Codes `[B, L, D]` to pictures, float32 `[B, 3, R, R]`, nominally in [-1, 1]."""
        raise NotImplementedError

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """S-space codes of `w_plus`, each `[B, C_i]`; `ValueError` where there is no S."""
        raise NotImplementedError

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """S-space codes to pictures; `ValueError` where there is no S."""
        raise NotImplementedError

    def sample(self, n: int, seed: int, truncation: float = 0.7) -> Latent:
        """`n` random codes; the first k are the same whatever `n` (drawn on the CPU)."""
        source = torch.Generator().manual_seed(check_seed(seed))
        z = torch.randn(n, self.config.z_dim, generator=source).to(self.device)
        return Latent(self.mapping(z, truncation=truncation))

    def check(self, w_plus: Tensor) -> Tensor:
        """The code itself; raises `ValueError` for another shape than `[B, L, D]`."""
        if w_plus.ndim != 3 or w_plus.shape[1:] != (self.num_layers, self.style_dim):
            raise ValueError(
                f"the code has shape {tuple(w_plus.shape)}, "
                f"expected [B, {self.num_layers}, {self.style_dim}]"
            )
        return w_plus


class NoiseNetwork(Network):
    """A generator of z alone: its code is one row."""

    @property
    def num_layers(self) -> int:
        """Rows L of a code."""
        return 1

    @property
    def style_dim(self) -> int:
        """Size D of a row."""
        return int(self.config.z_dim)

    @property
    def w_avg(self) -> Tensor:
        """The average code `[D]`."""
        return torch.zeros(self.style_dim, device=self.device)

    def mapping(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Noise `[B, z_dim]` to a code `[B, 1, z_dim]`: itself. Z has no average that codes could
        be pulled towards, so `truncation` and `cutoff` change nothing."""
        return z[:, None]

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """S-space codes of `w_plus`, each `[B, C_i]`; `ValueError` where there is no S."""
        require_space(self, "s", "this")
        raise AssertionError("unreachable")

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """S-space codes to pictures; `ValueError` where there is no S."""
        require_space(self, "s", "this")
        raise AssertionError("unreachable")


class StyledNetwork(Network):
    """A generator with W, W+ and S: subclasses give it `mapping`, a module that holds `w_avg`."""

    @property
    def style_dim(self) -> int:
        """Size D of a row of W+."""
        return int(self.config.w_dim)

    def styles(self, w_plus: Tensor) -> list[Tensor]:
        """S-space codes of `w_plus` `[B, L, D]`, network order, each `[B, C_i]`."""
        self.check(w_plus)
        return [make(w_plus[:, row]) for row, make in enumerate(self.style_maps())]

    def style_maps(self) -> list[Callable[[Tensor], Tensor]]:
        """The affine map from every row of W+ to its style."""
        raise NotImplementedError

    def synthesize(self, w_plus: Tensor, noise: NoiseMode | Sequence[Tensor] = "const") -> Tensor:
        """Draw the pictures of `w_plus` `[B, L, D]`: float32 `[B, 3, R, R]`, nominally in [-1, 1],
        not clamped."""
        return self.synthesize_styles(self.styles(w_plus), noise)

    def synthesize_styles(
        self, styles: Sequence[Tensor], noise: NoiseMode | Sequence[Tensor] = "const"
    ) -> Tensor:
        """Draw from S-space codes, as `styles()` returns them."""
        raise NotImplementedError

    def forward(self, w_plus: Tensor) -> Tensor:
        """Same as `synthesize(w_plus)`."""
        return self.synthesize(w_plus)


def in_colour(image: Tensor) -> Tensor:
    """`[B, 1 or 3, H, W]` as `[B, 3, H, W]`."""
    return image.expand(-1, 3, -1, -1) if image.shape[1] == 1 else image


def build_network(
    kind: type[Network], state: Mapping[str, Tensor], config: Any, source: str
) -> Network:
    """The frozen network of `state`, float32, on the CPU.

    Raises:
        CheckpointError: a key is missing, left over, has another shape, or is not finite.
    """
    try:
        with torch.device("meta"), within(state, source):
            model = kind(config)
    except WeightsError as error:
        raise CheckpointError(str(error)) from error
    check_keys(state, model.state_dict(), source)
    model.load_state_dict(check_numbers(state, source), strict=True, assign=True)
    return model.eval().requires_grad_(False)


def new_network(kind: type[Network], config: Any, seed: int = 0) -> Network:
    """A frozen network with seeded random weights."""
    with torch.device("meta"):
        model = kind(config)
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model.start()
    return model


def check_growing(config: Any) -> None:
    """Raise `ValueError` unless a configuration's `channels` are 2 to 9 resolutions from 4 px up,
    and its pictures have 1 or 3 colours."""
    if not 2 <= len(config.channels) <= 9:
        raise ValueError(f"{len(config.channels)} resolutions are not 2..9 (8 to 1024 px)")
    if config.image_channels not in (1, 3):
        raise ValueError(f"image_channels {config.image_channels} is not 1 or 3")
    check_sizes(config, narrowest=min(config.channels), widest=max(config.channels))


def check_sizes(config: Any, **sizes: int) -> None:
    """Raise `ValueError` unless every size is in 1..LARGEST."""
    for name, size in sizes.items():
        if not 1 <= size <= LARGEST:
            raise ValueError(f"{type(config).__name__}: {name} {size} is not in 1..{LARGEST}")


def read_config(kind: type[Any], values: object, source: str) -> Any:
    """A configuration of JSON values; unknown, missing and mistyped fields are refused.

    Raises:
        CheckpointError: says which field.
    """
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{source}: 'config' is missing")
    known = {f.name: str(f.type) for f in fields(kind)}
    unknown = sorted(set(map(str, values)) - set(known))
    if unknown:
        raise CheckpointError(
            f"{source}: unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    missing = sorted(set(known) - set(values))
    if missing:
        raise CheckpointError(f"{source}: missing fields {', '.join(missing)}")
    try:
        return kind(**{name: _as(known[name], values[name]) for name in known})
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        raise CheckpointError(f"{source}: {error}") from error


def _as(kind: str, value: Any) -> Any:
    """A JSON value as a field of that annotation; raises `TypeError` for another type."""
    if kind == "tuple[tuple[int, ...], ...]":
        return tuple(tuple(int(n) for n in row) for row in value)
    if kind == "tuple[int, ...]":
        return tuple(int(n) for n in value)
    if kind.endswith("| None") and value is None:
        return None
    if kind == "bool" and not isinstance(value, bool):
        raise TypeError(f"{value!r:.40} is not true or false")
    makers: dict[str, Callable[[Any], Any]] = {"bool": bool, "int": int, "float": float, "str": str}
    return makers[kind.removesuffix(" | None")](value)
