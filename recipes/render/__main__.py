"""``python -m recipes.render``: render shards of heads with exact factors and captions."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from recipes.render.dataset import PAIR, VARIATIONS, plan, run
from recipes.render.drawing.assets import check_root, default_root
from recipes.render.factors import SPLITS


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser("python -m recipes.render", description=__doc__)
    out.add_argument("--out", type=Path, required=True, help="folder of the shards")
    out.add_argument(
        "--count", type=int, default=1024, help="heads (with --vary: heads, not pictures)"
    )
    out.add_argument("--resolution", type=int, default=128, help="side of the pictures in pixels")
    out.add_argument("--seed", type=int, default=0, help="seed of the first head")
    out.add_argument("--split", choices=SPLITS, default="train")
    out.add_argument("--workers", type=int, default=1, help="processes")
    out.add_argument("--shard-size", type=int, default=1024, help="heads a shard")
    out.add_argument("--assets", type=Path, default=None, help="MakeHuman assets folder")
    out.add_argument(
        "--vary",
        choices=[*sorted(VARIATIONS), PAIR],
        default="",
        help="each head with one factor at all its values, or in a pair that differs in some",
    )
    return out


def main() -> None:
    """Render what is still missing, with a progress bar."""
    args = parser().parse_args()
    root = check_root(args.assets or default_root())
    jobs = plan(
        args.out,
        args.count,
        args.resolution,
        args.split,
        root,
        args.seed,
        args.shard_size,
        args.vary,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("heads", total=args.count)
        progress.advance(task, args.count - sum(job.count for job in jobs))
        run(jobs, args.workers, lambda heads: progress.advance(task, heads))


if __name__ == "__main__":
    main()
