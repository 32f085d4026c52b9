"""The benchmarks on a tiny model: each prints its table, and pixels agree."""

from __future__ import annotations

import mmap
import time

import pytest

from apps.batch.batch import loading_engine
from benchmarks import __main__ as every
from benchmarks import batch, edits, generator, stylegan3
from benchmarks.memory import peak, resident
from benchmarks.table import HEADER, Figure, markdown
from guidance.methods.text_encoder import FILE_NAME as TEXT_ENCODER
from guidance.methods.text_encoder import TextEncoder, TextEncoderConfig, save_text_encoder
from multimodal.inversion.encoders.bundle_encoder import BundleEncoder, BundleEncoderConfig
from multimodal.inversion.encoders.encoder_files import ENCODER_FILE, save_bundle_encoder
from tests.apps.model_folder import small_model


def test_a_ratio_above_one_is_faster() -> None:
    cells = Figure("ours", 0.5, "theirs", 1.0, 12.3, "same").cells()
    assert cells == ["ours", "0.500", "theirs", "1.000", "2.00x", "12", "same"]
    lines = markdown(HEADER, [cells]).splitlines()
    assert len(lines) == 3
    assert len({line.count("|") for line in lines}) == 1


def test_memory_of_some_work() -> None:
    def work() -> None:
        with mmap.mmap(-1, 64 * 2**20) as fresh:  # no allocator's leftovers, which are held already
            fresh.write(b"1" * len(fresh))
            time.sleep(0.2)  # filling it holds the interpreter, so that nobody looks until here

    assert resident() > 50
    assert peak(work) > 32


def test_generator_rows_serve_both_tables() -> None:
    model = generator.random_generator(32, 256)
    rows = generator.measure(model, 1, 1, time.perf_counter)
    assert [row.label for row in rows] == ["forward", "forward + backward"]
    for row in rows:
        assert len(row.cells()) == len(generator.HEADER)
        assert all(figure.seconds > 0 < figure.other for figure in row.figures())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a generator, an encoder and a CLIP."""
    folder = small_model(tmp_path_factory.mktemp("benchmarks"))
    shape = BundleEncoderConfig(8, 32, 16, width=8, hidden=8)
    save_bundle_encoder(BundleEncoder(shape), folder / ENCODER_FILE)
    quick = TextEncoder(TextEncoderConfig(16, 8, 16, noise=4, hidden=8))
    save_text_encoder(quick, folder / TEXT_ENCODER, {})
    return str(folder)


def test_edits_of_a_small_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    edits.main(["--model", model, "--repeats", "1", "--methods", "optimize"])
    printed = capsys.readouterr().out
    assert "edit by `optimize`" in printed
    assert "another strength of `optimize`" in printed


def test_one_command_runs_them_all(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(every, "CHANNEL_BASE", 512)
    monkeypatch.setattr(batch, "ray_engine", lambda load, _: loading_engine(load))  # quicker
    every.main(["--model", model, "--quick"])
    printed = capsys.readouterr().out
    for part in ("128 px forward", "edit by", "an answer of the studio", "photos, Ray"):
        assert part in printed
    assert "| 0 wrong" in printed
    assert batch.SAME in printed


def test_a_plain_stylegan3_draws_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--resolution", "32", "--width", "8", "--batch", "2", "--repeats", "1"]
    stylegan3.main(sizes)
    printed = capsys.readouterr().out
    assert "StyleGAN3-T 32 px, batch 2" in printed
    assert "StyleGAN3-R 32 px, batch 2" in printed
