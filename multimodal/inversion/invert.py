"""One door to every inversion method: `invert(generator, picture, method) -> Inversion`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor, nn

from multimodal.images import ImageSource, load_image, to_tensor
from multimodal.inversion.copies import learning_copy
from multimodal.inversion.descent import adam, lbfgs
from multimodal.inversion.methods.evolution import evolve
from multimodal.inversion.methods.features import FeatureOptions, features
from multimodal.inversion.methods.hypernetwork import HyperOptions, has_network, hypernetwork
from multimodal.inversion.methods.layerwise import LayerOptions, layer_by_layer
from multimodal.inversion.methods.monte_carlo import MonteCarloOptions, monte_carlo
from multimodal.inversion.methods.pivotal import anchored, tune, tuned_generator
from multimodal.inversion.methods.programs import ProgramOptions, by_programs
from multimodal.inversion.methods.quick import STEPS_AFTER, QuickOptions, quick
from multimodal.inversion.objective import Objective, local_lpips
from multimodal.inversion.options import (
    BasinOptions,
    DescentOptions,
    EncoderOptions,
    EvolutionOptions,
    HybridOptions,
    IdInvertOptions,
    LbfgsOptions,
    PivotalOptions,
    ProjectorOptions,
    Weights,
    read_options,
)
from multimodal.inversion.task import Method, Outcome, Task
from multimodal.latents import spaces_of
from multimodal.types import Encoder, Generator, ImageDistance, ImageEmbedder, Latent, OnStep

EVERY_SIDE = 20
"""More than any generator draws."""
NO_ENCODER = "no encoder: started from the average face"


@dataclass(frozen=True)
class Inversion:
    """What an inversion found.

    Args:
        latent: the code, batch 1.
        tuned: generator weights changed by pivotal tuning, by state-dict key, or None.
        report: `method`, `seconds`, `steps`, `mse`, `psnr` and, where their networks were given,
            `lpips` and `identity`; `notes` says what the person should know.
    """

    latent: Latent
    tuned: Mapping[str, Tensor] | None
    report: Mapping[str, Any]


def invert(
    generator: Generator,
    image: Image | Tensor,
    method: str = "hybrid",
    on_step: OnStep | None = None,
    *,
    encoder: Encoder | None = None,
    start: Latent | Tensor | None = None,
    mask: ImageSource | Tensor | None = None,
    perceptual: ImageDistance | Literal["auto"] | None = "auto",
    identity: ImageEmbedder | None = None,
    seed: int = 0,
    **options: Any,
) -> Inversion:
    """Find the code of a face.

    Args:
        generator: what will draw it.
        image: an aligned face: a PIL image, or `[1, 3, H, W]` in [-1, 1].
        method: one of `METHODS`.
        on_step: told of every step.
        encoder: a feed-forward encoder (`load_encoder`).
        start: a code to begin from (for "pti": the pivot).
        mask: white (or 1) where the picture is to be matched, black where something hides the
            face: a PIL image, or `[1, 1, H, W]` in [0, 1].
        perceptual: LPIPS as a callable; "auto" takes VGG's where its weights are at hand; None
            leaves it out.
        identity: identity vectors for that term, or None.
        seed: everything random follows from it.
        options: fields of the method's options (`METHODS[method].options`).

    Returns:
        the code, tuned weights for "pti", and a report measured on the final picture.

    Raises:
        ValueError: an unknown method or option, a wrong shape, or a method without what it needs.
    """
    began = time.perf_counter()
    method = check_inversion(method)
    entry = METHODS[method]
    settings = fitted(read_options(entry.options, options), options, generator)
    notes: list[str] = []
    objective = Objective(
        target=_target(generator, image),
        weights=getattr(settings, "weights", Weights()),
        perceptual=_perceptual(perceptual, generator.device, notes),
        identity=identity,
        mask=None if mask is None else _mask(generator, mask),
    )
    begin = None if start is None else _start(generator, start)
    task = Task(generator, objective, seed, encoder, begin, on_step, notes)
    outcome = entry.run(task, settings)
    report = measure(generator, objective, outcome)
    report |= {
        **outcome.told,
        "method": method,
        "seconds": round(time.perf_counter() - began, 3),
        "notes": list(dict.fromkeys(notes)),
    }
    return Inversion(outcome.latent, outcome.tuned, report)


def fitted(settings: Any, given: Mapping[str, Any], generator: Generator) -> Any:
    """A method's options with defaults that suit the generator's family: the widest space it has in
    place of one it lacks, no noise maps where it has none. What the caller gave stays as given."""
    has = spaces_of(generator)
    changes: dict[str, Any] = {}
    if "space" not in given and getattr(settings, "space", has[0]) not in has:
        changes["space"] = next(name for name in ("w+", "class", "z") if name in has)
    if "noise" not in given and getattr(settings, "noise", False):
        changes["noise"] = hasattr(generator, "noise_maps")
    return replace(settings, **changes) if changes else settings


def check_inversion(method: str, encoder: bool = True) -> str:
    """A method's own name, of it or of an alias.

    Args:
        method: as `invert` takes it.
        encoder: whether there is one.

    Raises:
        ValueError: an unknown method, or one that needs an encoder where there is none.
    """
    method = ALIASES.get(method, method)
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    if method == "encoder" and not encoder:
        raise ValueError(LACKS_ENCODER)
    return method


@torch.no_grad()
def measure(generator: Generator, objective: Objective, outcome: Outcome) -> dict[str, Any]:
    """Quality of an outcome's picture, clamped to what a screen shows."""
    if outcome.tuned:
        generator = tuned_generator(generator, outcome.tuned)
    latent = outcome.latent
    image = generator.synthesize(latent.w, "const" if latent.noise is None else latent.noise)
    image = image.clamp(-1, 1)
    mse = float(objective.mse(image))
    report: dict[str, Any] = {
        "steps": outcome.steps,
        "mse": mse,
        "psnr": float(10 * torch.log10(torch.tensor(4 / max(mse, 1e-10)))),
    }
    for name, value in (("lpips", objective.lpips(image)), ("identity", objective.cosine(image))):
        if value is not None:
            report[name] = float(value)
    return report


LACKS_ENCODER = (
    "method 'encoder' needs an encoder, and this model has none: give one (encoder=, --encoder) or "
    "take another method"
)


def run_encoder(task: Task, options: EncoderOptions | HybridOptions | QuickOptions) -> Outcome:
    """One feed-forward look (several for a feedback encoder)."""
    if task.encoder is None:
        raise ValueError(LACKS_ENCODER)
    seen = F.interpolate(task.objective.target, (256, 256), mode=_mode(task.objective.target))
    with torch.no_grad():
        many = {} if options.passes is None else {"passes": options.passes}
        w_plus = task.encoder(seen, **many).to(task.generator.device)
    if w_plus.shape[1:] != (task.generator.num_layers, task.generator.style_dim):
        raise ValueError(
            f"the encoder predicts codes {tuple(w_plus.shape[1:])}, this generator takes "
            f"({task.generator.num_layers}, {task.generator.style_dim})"
        )
    own: int = getattr(task.encoder, "passes", 1)
    passes = options.passes or own
    task.tell(passes, passes, {})
    return Outcome(Latent(w_plus), passes)


def run_hybrid(task: Task, options: HybridOptions) -> Outcome:
    """The encoder's code, then descent from it, in the type that this machine is fastest in."""
    if isinstance(task.generator, nn.Module):
        twin = cast(Generator, learning_copy(task.generator, ()))
        task = replace(task, generator=twin, objective=replace(task.objective, fast=True))
    if task.start is not None:
        return adam(task, options)
    if task.encoder is None:
        task.notes.append(NO_ENCODER)
        return adam(task, replace(options, stay=0.0))
    return adam(task.starting_at(run_encoder(task, options).latent.w), options)


def run_quick(task: Task, options: QuickOptions) -> Outcome:
    """The encoder's code and, where there is a hypernetwork, the face's own weights; then a few
    steps of code and fine layers together."""
    if task.start is not None:
        return quick(task, options)
    if options.hyper and _predicts_weights(task):
        return _quick_after(task, hypernetwork(task, HyperOptions()), options)
    if task.encoder is None:
        task.notes.append(NO_ENCODER)
        average = task.generator.w_avg.repeat(1, task.generator.num_layers, 1)
        return quick(task.starting_at(average), replace(options, stay=0.0))
    return quick(task.starting_at(run_encoder(task, options).latent.w), options)


def _predicts_weights(task: Task) -> bool:
    """Is there a hypernetwork, and a whole face? It would draw what a mask hides, too."""
    return task.objective.mask is None and has_network(task.encoder)


def _quick_after(task: Task, begun: Outcome, options: QuickOptions) -> Outcome:
    tuned = begun.tuned or {}
    weights = {key: value for key, value in tuned.items() if not key.endswith("_at")}
    own = replace(task, generator=tuned_generator(task.generator, weights))
    steps = STEPS_AFTER if options.steps is None else options.steps
    found = quick(own.starting_at(begun.latent.w), replace(options, steps=steps))
    weights |= dict(found.tuned or {})
    return replace(found, tuned=anchored(task.generator, found.latent.w, weights))


def run_features(task: Task, options: FeatureOptions) -> Outcome:
    """The encoder's code where there is one, refined; then features beside it."""
    return features(task, options, run_hybrid)


def run_pivotal(task: Task, options: PivotalOptions) -> Outcome:
    """Find a pivot, then tune the generator around it."""
    return tune(task, options, _find_pivot)


def _find_pivot(task: Task, options: PivotalOptions) -> Outcome:
    if task.start is not None:
        return Outcome(Latent(task.start), 0)
    name = options.pivot or ("projector" if task.encoder is None else "quick")
    quickly = 24 if _predicts_weights(task) else 45
    steps = options.pivot_steps or {"projector": 450, "quick": quickly}.get(name)
    values: dict[str, Any] = {} if steps is None or name == "encoder" else {"steps": steps}
    if name == "quick":
        values |= {"finest": EVERY_SIDE, "lr": 0.1, "weights": options.weights}
    # PTI's projector peaks at a rate of 0.01; ours keeps 0.1, which comes nearer in as many steps:
    # after 450, the bundled 256 px model's LPIPS on two portraits was 0.129 and 0.202, not 0.194
    # and 0.262.
    entry = METHODS[name]
    settings = fitted(entry.options(**values), values, task.generator)
    weights = getattr(settings, "weights", Weights())
    judged = replace(task, objective=replace(task.objective, weights=weights))
    return entry.run(judged, settings)


@dataclass(frozen=True)
class Entry:
    """A registered method.

    Args:
        options: its options' dataclass.
        run: `(task, options) -> Outcome`.
        about: one line for lists.
    """

    options: type[Any]
    run: Method
    about: str


METHODS: dict[str, Entry] = {
    "encoder": Entry(EncoderOptions, run_encoder, "feed-forward, a fraction of a second"),
    "quick": Entry(QuickOptions, run_quick, "encoder, then a few steps on code and fine layers"),
    "hybrid": Entry(HybridOptions, run_hybrid, "encoder, then a short descent near its code"),
    "adam": Entry(DescentOptions, adam, "gradient descent in any space"),
    "lbfgs": Entry(LbfgsOptions, lbfgs, "L-BFGS with a line search in any space"),
    "projector": Entry(ProjectorOptions, adam, "StyleGAN2's projector: W and noise maps"),
    "cma": Entry(EvolutionOptions, evolve, "CMA-ES, needs no gradients"),
    "basin-cma": Entry(BasinOptions, evolve, "CMA-ES whose candidates are refined by descent"),
    "idinvert": Entry(IdInvertOptions, run_hybrid, "in-domain regularised descent"),
    "hmc": Entry(
        MonteCarloOptions, monte_carlo, "samples of codes that fit (Hamiltonian dynamics)"
    ),
    "layers": Entry(LayerOptions, layer_by_layer, "nets that invert layer by layer, then descent"),
    "programs": Entry(ProgramOptions, by_programs, "a linear program a ReLU layer (DCGAN, WGAN)"),
    "features": Entry(FeatureOptions, run_features, "F/W+: features of a layer beside the code"),
    "hyperstyle": Entry(HyperOptions, hypernetwork, "HyperStyle: a network predicts weights"),
    "pti": Entry(PivotalOptions, run_pivotal, "pivotal tuning: the generator learns this face"),
}
"""Every inversion method by name."""

ALIASES = {"pivotal": "pti", "basincma": "basin-cma", "cma-es": "cma"}
"""Other names people use."""


def _target(generator: Generator, image: Image | Tensor) -> Tensor:
    """The picture at the generator's size, `[1, 3, R, R]`."""
    pixels = image if isinstance(image, Tensor) else to_tensor(image)
    if pixels.ndim == 3:
        pixels = pixels[None]
    if pixels.shape[:2] != (1, 3) or pixels.ndim != 4:
        raise ValueError(f"image has shape {tuple(pixels.shape)}, expected [1, 3, H, W]")
    if not bool(pixels.isfinite().all()):
        raise ValueError("the image holds numbers that are not finite")
    pixels = pixels.to(generator.device).float().clamp(-1, 1)
    return _resized(pixels, generator.resolution)


def _mask(generator: Generator, mask: ImageSource | Tensor) -> Tensor:
    """The mask at the generator's size, `[1, 1, R, R]` in [0, 1]."""
    if not isinstance(mask, Tensor):
        mask = (to_tensor(load_image(mask).convert("L").convert("RGB"))[:, :1] + 1) / 2
    if mask.ndim != 4 or mask.shape[:2] != (1, 1):
        raise ValueError(f"mask has shape {tuple(mask.shape)}, expected [1, 1, H, W]")
    resized = _resized(mask.to(generator.device).float().clamp(0, 1), generator.resolution)
    if float(resized.max()) <= 0:
        raise ValueError("the mask is black everywhere: nothing to match")
    return resized


def _start(generator: Generator, start: Latent | Tensor) -> Tensor:
    w_plus = start.w if isinstance(start, Latent) else start
    expected = (1, generator.num_layers, generator.style_dim)
    if tuple(w_plus.shape) != expected:
        raise ValueError(f"start has shape {tuple(w_plus.shape)}, expected {list(expected)}")
    return w_plus.to(generator.device).float()


def _perceptual(
    given: ImageDistance | Literal["auto"] | None, device: torch.device, notes: list[str]
) -> ImageDistance | None:
    if given != "auto":
        return given
    try:
        return local_lpips("vgg", device)
    except (ImportError, ValueError, OSError) as error:
        notes.append(f"no LPIPS, judged by pixels: {error}")
        return None


def _resized(images: Tensor, side: int) -> Tensor:
    if images.shape[-2:] == (side, side):
        return images
    mode = "bicubic" if images.shape[1] == 3 else "bilinear"
    shrinks = min(images.shape[-2:]) > side
    resized = F.interpolate(images, (side, side), mode=mode, antialias=shrinks)
    return resized.clamp(-1, 1)


def _mode(images: Tensor) -> str:
    return "area" if images.shape[-1] >= 256 else "bilinear"
