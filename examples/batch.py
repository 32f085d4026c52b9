"""Many photos, one edit each, from a table; run it again and nothing is done twice.

python examples/batch.py [--model NAME] [--out DIR]
"""

from __future__ import annotations

import csv

from common import start

from apps.batch.batch import BatchConfig, loading_engine, run_batch
from apps.batch.photo_edit import PhotoEdit
from apps.edits import EditSpec
from apps.samples import faces
from multimodal.files.weights import atomic

TEXTS = ("a smiling person", "an angry person", "a person with glasses")


def main() -> None:
    """Write a manifest, edit its photos, print what came of it."""
    options = start(__doc__)
    manifest = options.out / "photos.csv"
    with atomic(manifest) as part, part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "text"])
        rows.writerows(zip(faces(), TEXTS, strict=False))
    job = PhotoEdit(EditSpec(text="a smile"), model=options.model)
    config = BatchConfig(manifest, options.out / "batch", job.plan())
    summary = run_batch(config, loading_engine(job.load))
    print(f"{summary.done} of {summary.photos} photos, {summary.skipped} done before:")
    print(summary.table)


if __name__ == "__main__":
    main()
