"""CLIP (Radford et al. 2021) behind one door: any open_clip model as a `ClipModel`.

A bundle's CLIP is an open_clip folder: `open_clip_config.json`, `open_clip_model.safetensors` and
the text tower's own `config.json` and tokenizer files. open_clip resolves the tokenizer of
`local-dir:<folder>` against the folder, but the text tower's `hf_model_name` against the working
directory; `load_clip` resolves both against the folder. Raw open_clip loads the folder from the
directory that `hf_model_name` is relative to (the repository's root for the bundle), or anywhere
with `open_clip.create_model_and_transforms("local-dir:<folder>", text_cfg=text_config(folder))`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from multimodal.devices import pick_device
from multimodal.files.weights import atomic

CONFIG_NAME = "open_clip_config.json"
WEIGHTS_NAME = "open_clip_model.safetensors"
MAX_CONFIG_BYTES = 1 << 20


class OpenClip:
    """An open_clip model as a frozen judge; satisfies `multimodal.types.ClipModel`.

    Args:
        model: an open_clip `CLIP` or `CustomTextCLIP`.
        tokenizer: its tokenizer.
        mean: CLIP's per-channel mean, three numbers for pictures in [0, 1].
        std: CLIP's per-channel standard deviation.
        image_size: side of the square picture the image tower takes.
        config: open_clip's `model_cfg`, kept for saving, or None.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.image_size = image_size
        self.config = None if config is None else dict(config)
        parameter = next(model.parameters())
        self.mean = torch.tensor(mean, device=parameter.device).view(1, 3, 1, 1)
        self.std = torch.tensor(std, device=parameter.device).view(1, 3, 1, 1)
        self._dim = int(self._encode([_PROBE]).shape[1])
        self._sentence_scale: float | None = None

    @property
    def dim(self) -> int:
        """Size E of an embedding."""
        return self._dim

    @property
    def device(self) -> torch.device:
        """Where the weights live."""
        return self.mean.device

    def to(self, device: torch.device | str) -> OpenClip:
        """This model moved to another device."""
        self.model.to(device)
        self.mean, self.std = self.mean.to(device), self.std.to(device)
        return self

    def preprocess(self, images: Tensor) -> Tensor:
        """`[B, 3, H, W]` in [-1, 1] to the image tower's input `[B, 3, S, S]`: clamped to what a
        screen shows, resized (bicubic, antialiased), normalised by CLIP's mean and deviation."""
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images have shape {tuple(images.shape)}, expected [B, 3, H, W]")
        pixels = images.to(self.device).float().clamp(-1, 1)
        side = (self.image_size, self.image_size)
        if tuple(pixels.shape[2:]) != side:
            pixels = F.interpolate(pixels, side, mode="bicubic", antialias=True)
        return ((pixels + 1) / 2 - self.mean) / self.std

    def encode_image(self, images: Tensor) -> Tensor:
        """Unit vectors `[B, E]` of pictures `[B, 3, H, W]` in [-1, 1]; differentiable."""
        features = self.model.encode_image(self.preprocess(images))  # type: ignore[operator]
        return F.normalize(features.float(), dim=-1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors `[B, E]` of texts, in any language the text tower was taught.

        Raises:
            ValueError: no text, an empty one, or one longer than the tower reads.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            raise ValueError("no text given")
        for text in texts:
            self._check_text(text)
        return self._encode(texts)

    def project_sentence(self, vectors: Tensor) -> Tensor:
        """Sentence vectors `[B, D]` of the text tower's own transformer (any length, as MiniLM's
        unit sentence embeddings) into the joint space: unit `[B, E]`; differentiable.

        Raises:
            ValueError: this CLIP's text tower is not a transformers model with a projection.
        """
        if not self.has_sentences:
            raise ValueError("this CLIP has no sentence space; the bundled CLIP has one")
        text: Any = self.model.text
        unit = F.normalize(vectors.to(self.device).float(), dim=-1)
        return F.normalize(text.proj(unit * self.sentence_scale), dim=-1)

    @property
    def has_sentences(self) -> bool:
        """Is the text tower a sentence transformer with a projection of its own?"""
        text = getattr(self.model, "text", None)
        return hasattr(text, "proj") and hasattr(text, "pooler")

    @property
    def sentence_scale(self) -> float:
        """Length of the transformer's pooled vectors, which the projection was trained on."""
        if self._sentence_scale is None:
            self._sentence_scale = float(self.pooled([_PROBE]).norm())
        return self._sentence_scale

    @torch.no_grad()
    def pooled(self, texts: Sequence[str]) -> Tensor:
        """The text transformer's mean-pooled vectors `[B, D]`, before the projection."""
        tower: Any = self.model.text
        kept, tower.proj = tower.proj, nn.Identity()
        try:
            return tower(self._tokens(texts)).float()
        finally:
            tower.proj = kept

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> Tensor:
        features = self.model.encode_text(self._tokens(texts))  # type: ignore[operator]
        return F.normalize(features.float(), dim=-1)

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(list(texts)).to(next(self.model.parameters()).device)
        if not hasattr(self.tokenizer, "tokenizer"):
            return tokens
        padding = self.tokenizer.tokenizer.pad_token_id  # attention masks make it safe to drop
        return tokens[:, : int((tokens != padding).sum(dim=1).max())]

    def _check_text(self, text: str) -> None:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"text {text!r} is empty; say what the face should look like")
        limit = int(self.tokenizer.context_length)
        inner = getattr(self.tokenizer, "tokenizer", None)
        if inner is None:
            count = len(self.tokenizer.encode(text)) + 2
        else:
            count = len(inner(text, truncation=False, verbose=False).input_ids)
        if count > limit:
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            raise ValueError(f"text {shown!r} has {count} tokens, this CLIP reads at most {limit}")


_PROBE = "a photo of a face"


def load_clip(
    source: Path | str,
    device: torch.device | str = "auto",
    pretrained: Path | str | None = None,
    random_weights: bool = False,
) -> OpenClip:
    """Load a CLIP.

    Args:
        source: a folder holding `open_clip_config.json`, or an open_clip architecture name such as
            "ViT-B-32"; "ViT-B-32/openai" names its weights too.
        device: "auto" (cuda, mps, cpu), or a torch device.
        pretrained: open_clip's tag of the weights (downloaded once, checked by open_clip against
            its recorded SHA-256), or a weights file.
        random_weights: allow an architecture without weights (tests only).

    Raises:
        FileNotFoundError: a folder or weights file is missing.
        ValueError: an unknown architecture or tag, or no weights named.
    """
    import open_clip

    where = pick_device(device)
    if isinstance(source, Path) or Path(source).is_dir():
        return _load_folder(Path(source), where)
    name, _, tag = str(source).partition("/")
    weights = str(pretrained) if pretrained is not None else tag
    if name not in open_clip.list_models():
        raise ValueError(
            f"CLIP {str(source)!r} is neither a folder with {CONFIG_NAME} nor one of open_clip's "
            f"architectures, such as 'ViT-B-32', 'ViT-B-16', 'ViT-L-14'"
        )
    if not weights and not random_weights:
        raise ValueError(
            f"CLIP {name!r} needs weights: a file, or one of "
            f"{open_clip.list_pretrained_tags_by_model(name)}"
        )
    _check_weights(name, weights)
    quick = quick_gelu(name, weights)
    model = open_clip.create_model(
        name, pretrained=weights or None, device=where, force_quick_gelu=quick
    )
    config = {**open_clip.get_model_config(name), **({"quick_gelu": True} if quick else {})}
    return _wrap(model, open_clip.get_tokenizer(name), config)


def quick_gelu(name: str, weights: str) -> bool:
    """Whether the weights of that tag were trained with OpenAI's approximation of GELU; open_clip
    itself only warns when an architecture's name says otherwise."""
    from open_clip.pretrained import get_pretrained_cfg

    return bool(get_pretrained_cfg(name, weights).get("quick_gelu", False)) if weights else False


def _check_weights(name: str, weights: str) -> None:
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(name)
    if not weights or weights in tags or Path(weights).is_file():
        return
    if os.sep in weights or "." in weights:
        raise FileNotFoundError(f"CLIP weights file {weights!r} does not exist")
    raise ValueError(f"weights {weights!r} of {name!r} are not a file and not one of {tags}")


def _load_folder(folder: Path, device: torch.device) -> OpenClip:
    import open_clip

    from multimodal.files.untrusted.building import within
    from multimodal.files.untrusted.tensors import read_tensors

    config = read_config(folder)["model_cfg"]
    weights = folder / WEIGHTS_NAME
    if not weights.is_file():
        raise FileNotFoundError(f"{folder} holds no {WEIGHTS_NAME}")
    tensors = read_tensors(weights)
    with _unalarmed(), within(tensors, CONFIG_NAME):
        model = open_clip.create_model(
            f"local-dir:{folder}", load_weights=False, pretrained_text=False,
            text_cfg=text_config(folder),
        )  # fmt: skip
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{weights} does not fit {CONFIG_NAME}: {error}") from error
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    return _wrap(model.to(device), tokenizer, config)


@contextmanager
def _unalarmed() -> Iterator[None]:
    """Keep open_clip from warning of random weights, which are replaced a moment later."""

    def wanted(record: logging.LogRecord) -> bool:
        return "No pretrained weights" not in record.getMessage()

    root = logging.getLogger()
    root.addFilter(wanted)
    try:
        yield
    finally:
        root.removeFilter(wanted)


def _wrap(model: nn.Module, tokenizer: Any, config: Mapping[str, Any]) -> OpenClip:
    visual: Any = model.visual
    preprocess = visual.preprocess_cfg
    size = preprocess["size"]
    side = int(size[0] if isinstance(size, tuple | list) else size)
    return OpenClip(model, tokenizer, preprocess["mean"], preprocess["std"], side, config)


def read_config(folder: Path | str) -> dict[str, Any]:
    """The parsed, size-bounded `open_clip_config.json` of a CLIP folder.

    Raises:
        FileNotFoundError: it is missing.
        ValueError: it is too large, not JSON, or lacks `model_cfg`.
    """
    path = Path(folder) / CONFIG_NAME
    if not path.is_file():
        raise FileNotFoundError(f"no CLIP in {folder}: {CONFIG_NAME} is missing")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ValueError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict) or "model_cfg" not in config:
        raise ValueError(f"{path} has no 'model_cfg'")
    return config


def text_config(folder: Path | str) -> dict[str, Any]:
    """A folder's `text_cfg` with the text tower's name made absolute, for raw open_clip."""
    text = dict(read_config(folder)["model_cfg"]["text_cfg"])
    if "hf_model_name" in text:
        text |= {"hf_model_name": str(Path(folder).resolve()), "hf_model_pretrained": False}
    return text


def save_clip(
    clip: OpenClip, folder: Path | str, raw_path: str | None = None, half: bool = False
) -> Path:
    """Write a CLIP as an open_clip folder that `load_clip` and open_clip itself read.

    Args:
        clip: the model; it must know its `config`.
        folder: where to; made if missing.
        raw_path: what `hf_model_name` should say for raw open_clip; by default the folder relative
            to the working directory where it lies inside it, else its absolute path.
        half: store the weights as float16; they are loaded as float32 all the same.

    Returns:
        The folder.
    """
    from safetensors.torch import save_file

    if clip.config is None:
        raise ValueError("this CLIP has no open_clip configuration to save")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach().cpu().contiguous() for k, v in clip.model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    with atomic(folder / WEIGHTS_NAME) as part:
        save_file(weights, part)
    inner = getattr(clip.tokenizer, "tokenizer", None)
    if inner is not None:
        inner.save_pretrained(str(folder))
        clip.model.text.config.save_pretrained(str(folder))  # type: ignore[union-attr,operator]
    mean, std = clip.mean.flatten().tolist(), clip.std.flatten().tolist()
    preprocess = {"size": clip.image_size, "mean": mean, "std": std, "resize_mode": "squash"}
    config = {"model_cfg": dict(clip.config), "preprocess_cfg": preprocess}
    _write_json(folder / CONFIG_NAME, config)
    relocate(folder, raw_path)
    return folder


def relocate(folder: Path | str, raw_path: str | None = None) -> None:
    """Rewrite where raw open_clip finds the text tower, after a CLIP folder was moved."""
    folder = Path(folder)
    config = read_config(folder)
    text = config["model_cfg"]["text_cfg"]
    if "hf_model_name" not in text:
        return
    inside = folder.resolve().is_relative_to(Path.cwd())
    default = folder.resolve().relative_to(Path.cwd()) if inside else folder.resolve()
    text["hf_model_name"] = text["hf_tokenizer_name"] = raw_path or default.as_posix()
    _write_json(folder / CONFIG_NAME, config)


def random_clip(seed: int = 0, dim: int = 32, image_size: int = 32) -> OpenClip:
    """A tiny untrained CLIP of open_clip's own architecture, for tests and dry runs."""
    import open_clip
    from open_clip.model import CLIP

    vision = {"image_size": image_size, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"embed_dim": dim, "vision_cfg": vision, "text_cfg": text}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIP(embed_dim=dim, vision_cfg=vision, text_cfg=text)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return OpenClip(model, open_clip.SimpleTokenizer(), mean, std, image_size, config)


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    with atomic(path) as part:
        part.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
