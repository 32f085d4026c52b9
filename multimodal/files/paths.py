"""The door for names of files: what is no path is refused in words that repeat none of it.

People paste data URLs, addresses and whole files where a path is asked for. A message with all of
that in it would put somebody's photo into a log.
"""

from __future__ import annotations

import re
from pathlib import Path

LONGEST = 4096
SHOWN = 120
_DATA = re.compile(r"\s*data:[\w.+-]*/?[\w.+-]*[;,]", re.I)
_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]{1,11}):/{1,2}(?=[^/])", re.I)


def existing_file(source: str | Path, what: str) -> Path:
    """The path, if there is such a file.

    Args:
        source: what was given for a path.
        what: is wanted: "picture", "sound".

    Raises:
        FileNotFoundError: there is no such file, or it is no path at all; says which.
    """
    text = str(source)
    if _DATA.match(text):
        raise FileNotFoundError(
            f"this is a data URL, not the path of a {what}: save the {what} as a file first "
            "(in Python, its decoded bytes can be given)"
        )
    if address := _ADDRESS.match(text):
        whole = f"{address[1]}://{text[address.end() :]}"  # a Path has lost one of the slashes
        raise FileNotFoundError(
            f"{shown(whole)} is an address, not a path: download the {what} first"
        )
    if len(text) > LONGEST or not text.isprintable():
        raise FileNotFoundError(
            f"{len(text)} characters that are no path of a {what} (in Python, give a file's "
            "content as bytes)"
        )
    path = Path(source)
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        kind = "a folder, not a" if _is_folder(path) else "no such"
        raise FileNotFoundError(f"{kind} {what}: {shown(text)}")
    return path


def shown(text: str) -> str:
    """A name for a message: cut in the middle where it is longer than names are."""
    if len(text) <= SHOWN:
        return text
    return f"{text[: SHOWN // 2]}...{text[-SHOWN // 4 :]} ({len(text)} characters)"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
