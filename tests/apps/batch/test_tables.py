"""Tables as people write them."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from apps.batch.manifest import read_items, says_what_to_change
from apps.batch.tables import read_table


def written(tmp_path: Path, text: str, name: str = "list.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("path,text,strength\na.jpg,a smile,1.2\n", "list.csv"),
        ("Path, Text , STRENGTH\r\na.jpg, a smile, 1.2\r\n", "list.csv"),
        ("path;text;strength\na.jpg;a smile;1,2\n", "list.csv"),
        ("sep=;\npath;text;strength\na.jpg;a smile;1,2\n", "list.csv"),
        ("path\ttext\tstrength\na.jpg\ta smile\t1.2\n", "list.csv"),
        ("path\ttext\tstrength\na.jpg\ta smile\t1,2\n", "list.tsv"),
        ("path,text,strength,\n\na.jpg,a smile,1.2,\n,,,\n", "list.csv"),
        ('{"Path": "a.jpg", "text": " a smile", "strength": 1.2, "x": null}\n\n', "list.jsonl"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_every_spreadsheets_table_is_read(
    tmp_path: Path, text: str, name: str, encoding: str
) -> None:
    path = written(tmp_path, text, name, encoding)
    assert says_what_to_change(path)
    (item,) = read_items(path)
    assert (item.name, item.path) == ("a.jpg", tmp_path / "a.jpg")
    assert item.overrides == {"text": "a smile", "strength": 1.2}


def test_texts_stay_what_they_are(tmp_path: Path) -> None:
    said = ["NA", "null", "007", "nan", "1.50", "True", "None", "größer, älter"]
    table = "path,text\n" + "".join(f'{k}.jpg,"{text}"\n' for k, text in enumerate(said))
    for encoding in ("utf-8", "cp1252"):
        items = read_items(written(tmp_path, table, encoding=encoding))
        assert [item.overrides["text"] for item in items] == said
    frame = pandas.DataFrame({"Path ": [f"{k}.jpg" for k in range(8)], "text": said})
    frame.to_parquet(tmp_path / "list.parquet")
    items = read_items(tmp_path / "list.parquet")
    assert [item.overrides["text"] for item in items] == said
    (item,) = read_items(written(tmp_path, "path\n007\n"))
    assert item.path.name == "007"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,text\na.jpg,a smile\nb.jpg,smile, no glasses\n", r"row 3 has 3 cells.*quotes"),
        ("path,strength\na.jpg,much\n", "row 2: strength 'much' is no number"),
        ("path,strength\na.jpg,99\n", "row 2: strength '99'"),
        ("path,text\n,a smile\n", "row 2 names no path"),
        ("path,Path\na.jpg,b.jpg\n", "two columns 'path'"),
        ("photo,text\na.jpg,a smile\n", "no column 'path'"),
        ('path,text\na.jpg,"' + "x" * 200_000 + '"\n', "row 2: field larger"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_row(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_items(written(tmp_path, text))


def test_lines_of_json_are_refused_by_their_number(tmp_path: Path) -> None:
    for line in ("[1]", '{"path": ', '{"path": ["a.jpg"]}'):
        with pytest.raises(ValueError, match="line 2"):
            read_items(written(tmp_path, f'{{"path": "a.jpg"}}\n{line}\n', "list.jsonl"))


def test_other_files_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.csv, \.tsv, \.jsonl, \.parquet"):
        read_items(written(tmp_path, "path\n", "list.xlsx"))
    assert read_table(written(tmp_path, "")).columns == ()
