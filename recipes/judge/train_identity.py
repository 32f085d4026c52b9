"""Distil dlib's face descriptor into the bundle's identity network.

    python -m recipes.judge.train_identity --data renders/train --out runs/identity --minutes 8

The teacher reads the renders by their exact 68 points, once; its descriptors are kept beside the
run. It learns the directions of descriptors from their mean, and the angles among a batch (Park
et al. 2019, "Relational Knowledge Distillation", arXiv 1904.05068, section 3).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from multimodal.devices import fast_autocast
from multimodal.files.weights import atomic
from multimodal.recognition.dlib_resnet import DlibResNet, face_chip, load_dlib_resnet
from multimodal.recognition.identity import IdentityNet, save_identity
from recipes.data import Faces, index_batches
from recipes.loop import Average, Run, RunConfig, start

BLOCK = 64
"""Descriptors in one cached file."""

RELATIONS = 1.0
"""Weight of the angles within a batch against the angle to the teacher."""

ENLARGED = 2
"""Rounding of points to whole pixels hurts small pictures; the teacher sees them enlarged."""


def describe_all(faces: Faces, folder: Path, limit: int) -> np.ndarray:
    """The teacher's descriptors `[n, 128]` of the first `limit` faces; cached block by block."""
    teacher, found = load_dlib_resnet(), []
    left = min(limit, len(faces))
    for shard in faces.shards:
        images = np.load(shard / "images.npy", mmap_mode="r")
        points = np.load(shard / "landmarks.npy", mmap_mode="r")
        for begin in range(0, min(len(images), left), BLOCK):
            path = folder / faces.folder.name / f"{shard.name}_{begin:05d}.npy"
            part = slice(begin, begin + BLOCK)
            if not path.exists():
                _describe(teacher, images[part], points[part], path)
            found.append(np.load(path))
        left -= len(images)
    return np.concatenate(found)[:limit]


def _describe(teacher: DlibResNet, images: np.ndarray, points: np.ndarray, path: Path) -> None:
    chips = []
    for pixels, marks in zip(images, points, strict=True):
        size = (pixels.shape[1] * ENLARGED, pixels.shape[0] * ENLARGED)
        image = Image.fromarray(np.asarray(pixels)).resize(size, Image.Resampling.BICUBIC)
        chips.append(face_chip(image, (marks + 0.5) * ENLARGED - 0.5))
    batch = torch.from_numpy(np.stack(chips)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad(), atomic(path) as part:
        np.save(part, torch.cat([teacher(some) for some in batch.split(16)]).numpy())


def targets_of(descriptors: np.ndarray, centre: Tensor) -> Tensor:
    """Unit vectors `[n, 128]` of descriptors measured from the centre."""
    return F.normalize(torch.from_numpy(descriptors).float() - centre.cpu(), dim=1)


def vary(images: Tensor) -> Tensor:
    """What does not change who it is: mirror, small shifts, light, colour, softness."""
    count, side = len(images), images.shape[-1]
    flip = torch.rand(count, 1, 1, 1, device=images.device) < 0.5
    images = torch.where(flip, images.flip(3), images)
    across, down = torch.randint(-side // 40, side // 40 + 1, (2,)).tolist()
    images = torch.roll(images, (down, across), dims=(2, 3))
    gain = 1 + 0.15 * torch.randn(count, 3, 1, 1, device=images.device) * 0.5
    light = 0.15 * torch.randn(count, 1, 1, 1, device=images.device)
    images = (images * gain + light).clamp(-1, 1)
    soft = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    amount = torch.rand(count, 1, 1, 1, device=images.device).pow(2)
    return torch.lerp(images, soft, amount)


def terms_of(net: IdentityNet, images: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Loss terms of one batch: angle to the teacher, angles within the batch."""
    with fast_autocast(images.device):
        found = net(images)
    mine, theirs = found @ found.T, wanted @ wanted.T
    return {
        "angle": (1 - (found * wanted).sum(dim=1)).mean(),
        "relations": (mine - theirs).square().mean() * RELATIONS * wanted.shape[1] ** 0.5,
    }


def train(run: Run, faces: Faces, wanted: Tensor, net: IdentityNet, batch: int, lr: float) -> Any:
    """Train to the end of the run's steps or minutes; returns the averaged network."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, weight_decay=0.05)
    average = Average(net, half_life=4000)
    parts: dict[str, Any] = {"net": net, "average": average, "optimizer": optimizer}
    run.resume(parts)
    batches = index_batches(len(wanted), batch, run.config.seed + run.step)
    run.start_clock()
    begun = time.monotonic()
    for _ in run.steps(parts, batch):
        for group in optimizer.param_groups:
            group["lr"] = lr * max(1 - progress_of(run, begun), 0.02)
        index = next(batches)
        images = vary(faces.batch(index).to(run.fabric.device))
        terms = terms_of(net, images, wanted[index].to(run.fabric.device))
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net, batch, run.images + batch)
        run.log({name: term.detach() for name, term in terms.items()})
    return average.module


def progress_of(run: Run, begun: float) -> float:
    """How much of the run is over, 0 to 1, by steps or by the clock."""
    limit = run.config.minutes * 60
    return max(run.step / run.config.steps, (time.monotonic() - begun) / limit if limit else 0.0)


@torch.no_grad()
def agreement(net: IdentityNet, faces: Faces, wanted: Tensor) -> dict[str, float | Tensor]:
    """Correlation of student's and teacher's cosines over all pairs; mean cosine to the teacher."""
    device = next(net.parameters()).device
    starts = range(0, len(wanted), 64)
    indices = [np.arange(s, min(s + 64, len(wanted))) for s in starts]
    found = torch.cat([net(faces.batch(i).to(device)).cpu() for i in indices])
    upper = torch.triu_indices(len(wanted), len(wanted), offset=1)
    mine = (found @ found.T)[upper[0], upper[1]]
    theirs = (wanted @ wanted.T)[upper[0], upper[1]]
    correlation = torch.corrcoef(torch.stack([mine, theirs]))[0, 1]
    return {
        "correlation": float(correlation),
        "cosine": float((found * wanted).sum(dim=1).mean()),
    }


def main() -> None:
    """Parse the command line, describe, train, save, and measure on held-out faces."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="shards with landmarks")
    parser.add_argument("--heldout", type=Path, help="shards to measure on")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=4096, help="training faces at most")
    parser.add_argument("--judges", type=int, default=512, help="held-out faces at most")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = start(RunConfig(options.out, options.steps, options.minutes, options.seed))
    cache = options.out / "descriptors"
    faces = Faces(options.data)
    descriptors = describe_all(faces, cache, options.faces)
    net = IdentityNet().to(run.fabric.device)
    net.centre.copy_(torch.from_numpy(descriptors.mean(axis=0)))
    trained = train(run, faces, targets_of(descriptors, net.centre), net, options.batch, options.lr)
    save_identity(trained, options.out / "identity.safetensors", torch.float16)
    if options.heldout:
        others = Faces(options.heldout)
        known = describe_all(others, cache, options.judges)
        scores = agreement(trained, others, targets_of(known, net.centre))
        run.log(scores, force=True)


if __name__ == "__main__":
    main()
