"""Put the tables of an evaluation into docs/evaluation.md, and its pictures beside the others.

python docs/build_evaluation.py [--results out/evaluation]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from PIL import Image

from multimodal.images import save_image

HERE = Path(__file__).resolve().parent
PAGE = HERE / "evaluation.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
WIDEST = 1000


def tables(report: str) -> str:
    """A report's text one heading deeper, its pictures looked for in `images/`."""
    body = report.split("\n", 1)[1].strip()
    body = re.sub(r"^(#+) ", r"#\1 ", body, flags=re.MULTILINE)
    return re.sub(r"\]\(([^)/]+)\.(?:png|jpg)\)", r"](images/evaluation-\1.jpg)", body)


def filled(page: str, report: str) -> str:
    """The page with a report's tables between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"{PAGE.name} has no {BEGIN} and {END}")
    before, rest = page.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{tables(report)}\n{END}{rest.split(END, 1)[1]}"


def copy_pictures(report: str, folder: Path, target: Path) -> list[Path]:
    """Small copies of the pictures that a report shows."""
    out = []
    for name in re.findall(r"\]\(([^)/]+\.(?:png|jpg))\)", report):
        with Image.open(folder / name) as opened:
            picture = opened.convert("RGB")
        if picture.width > WIDEST:
            picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
        path = target / f"evaluation-{Path(name).stem}.jpg"
        save_image(picture, path)
        out.append(path)
    return out


def main() -> None:
    """Read a folder of results, write page and pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("out/evaluation"))
    folder: Path = parser.parse_args().results
    report = (folder / "report.md").read_text(encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), report), encoding="utf-8")
    copy_pictures(report, folder, HERE / "images")


if __name__ == "__main__":
    main()
