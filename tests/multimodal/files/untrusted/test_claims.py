"""Files that claim more than they hold are refused by what they claim, before memory is taken."""

from __future__ import annotations

import contextlib
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from multimodal.files.torch_files import load_torch
from multimodal.files.untrusted.building import within
from multimodal.files.untrusted.pickles import Callee, count_steps
from multimodal.files.untrusted.tensors import check_header, read_tensors
from multimodal.files.weights import WeightsError
from multimodal.generators import CheckpointError, load_generator, save_generator
from multimodal.generators.registry import tiny_generator
from multimodal.recognition.judge import load_judge
from tests.resident import grown_mib

MOST_MIB = 300


@pytest.fixture(autouse=True)
def lean() -> Iterator[None]:
    """No test here may take memory: the files have a few kilobytes."""
    with grown_mib() as grown:
        yield
    assert grown() < MOST_MIB


def stored(path: Path, tensors: dict[str, list[int]], data: bytes = b"") -> Path:
    """A safetensors file of float32 tensors with these shapes, and these bytes for all of them."""
    about = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, len(data)]}
        for name, shape in tensors.items()
    }
    header = json.dumps(about).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


@pytest.mark.parametrize("shape", [[4096, 0], [0], [2**40], [2**62, 2**62], [1] * 100, [-1, -4]])
def test_a_shape_without_its_numbers(tmp_path: Path, shape: list[int]) -> None:
    path = stored(tmp_path / "a.safetensors", {"w": shape})
    for read in (check_header, read_tensors):
        with pytest.raises(WeightsError, match=r"a\.safetensors: 'w' claims the shape"):
            read(path)


def test_a_header_longer_than_any(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", 99 << 20) + b"{" + b" " * 100)
    with pytest.raises(WeightsError, match="no safetensors header"):
        read_tensors(path)


def test_a_configuration_larger_than_its_weights(tmp_path: Path) -> None:
    save_generator(tiny_generator(), tmp_path / "g.safetensors")
    about = json.loads((tmp_path / "g.json").read_text())
    about["config"] |= {"resolution": 1024, "channels": [4096] * 9, "mapping_layers": 4096}
    (tmp_path / "g.json").write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match="the network has shape"):
        load_generator(tmp_path / "g.safetensors", "cpu")


def archive(path: Path, contents: object, packing: int = zipfile.ZIP_STORED) -> Path:
    """A torch file, packed anew."""
    torch.save(contents, path)
    with zipfile.ZipFile(path) as before:
        members = {member: before.read(member) for member in before.namelist()}
    with zipfile.ZipFile(path, "w", packing) as after:
        for name, data in members.items():
            after.writestr(name, data)
    return path


def test_packed_members(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pt", {"w": torch.zeros(1 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match=r"a\.pt is a packed zip"):
        load_torch(path)
    assert load_torch(archive(tmp_path / "b.pt", {"w": torch.ones(3)}))["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("zipped", [True, False])
def test_numbers_that_are_repeated(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "a.pt"
    wide = torch.zeros(1).expand(1 << 30)
    torch.save({"w": wide}, path, _use_new_zipfile_serialization=zipped)
    for mapped in (True, False):
        with pytest.raises(WeightsError, match="claims the shape"):
            load_torch(path, mapped)


def test_one_storage_held_too_often(tmp_path: Path) -> None:
    one = torch.zeros(1 << 18)
    tied = {str(i): one for i in range(2)}
    torch.save(tied, tmp_path / "tied.pt")
    assert len(load_torch(tmp_path / "tied.pt")) == 2
    torch.save({str(i): one for i in range(50)}, tmp_path / "same.pt")
    same = load_torch(tmp_path / "same.pt").values()
    assert len({tensor.data_ptr() for tensor in same}) == 1
    torch.save({str(i): one[i:] for i in range(50)}, tmp_path / "many.pt")
    with pytest.raises(WeightsError, match="more numbers than the file holds"):
        load_torch(tmp_path / "many.pt")


@pytest.mark.parametrize("tensor", [torch.empty(9, device="meta"), torch.eye(3).to_sparse()])
def test_tensors_of_another_making(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="plain numbers"):
        load_torch(tmp_path / "a.pt")


class Called:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., object], *given: object) -> None:
        self.call = function, given

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (Called(bytearray, 10**10), "more bytes than it holds"),
        (Called(torch.FloatTensor, 10**5, 10**5), "without bytes of their own"),
        ([Called(set, list(range(999))) for _ in range(3)], None),
    ],
)
def test_calls_that_take_memory(tmp_path: Path, call: object, message: str | None) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": call}, path)
    if message is None:
        load_torch(path)
        return
    with pytest.raises(WeightsError, match=message):
        load_torch(path)


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02Nr\x00\x00\x00\x10.",
        b"\x80\x02Np500000000\n.",
        b"\x80\x04N\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x05\x96\x00\x00\x00\x00\x01\x00\x00\x00x.",
        b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x7f.",
    ],
)
@pytest.mark.parametrize("suffix", [".pkl", ".pt"])
def test_pickles_that_claim(tmp_path: Path, pickled: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(pickled)
    with pytest.raises(CheckpointError, match=rf"a\{suffix}"):
        load_generator(path, "cpu")


def copies(times: int) -> bytes:
    """A pickle that makes a set of one long list, over and over."""
    numbers = b"".join(b"K" + bytes([i % 256]) for i in range(4000))
    again = b"c__builtin__\nset\nh\x00\x85R0"
    return b"\x80\x02](" + numbers + b"eq\x00" + again * times + b"."


def test_a_list_copied_over_and_over(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(copies(3000))
    with pytest.raises(CheckpointError, match="copies more than it holds"):
        load_generator(tmp_path / "a.pkl", "cpu")


def test_build_changes_nothing_of_the_process(tmp_path: Path) -> None:
    from multimodal.generators import nvlabs

    reader = nvlabs.RestrictedUnpickler
    functions = [vars(reader)[n] for n in ("_record", "_tensor", "_storage", "_encode", "_opaque")]
    names = [
        "torch_utils.persistence\n_reconstruct_persistent_obj", "torch._utils\n_rebuild_tensor_v2",
        "torch.storage\n_load_from_bytes", "_codecs\nencode", "numpy\nscalar", "builtins\nset",
        "collections\nOrderedDict", "dnnlib.util\nEasyDict", "torch\nfloat32",
    ]  # fmt: skip
    for name in names:
        for state in (b"}X\x04\x00\x00\x00evilK\x01s", b"N}X\x04\x00\x00\x00evilK\x01s\x86"):
            data = b"\x80\x02c" + name.encode() + b"\n" + state + b"b."
            (tmp_path / "a.pkl").write_bytes(data)
            with pytest.raises(CheckpointError):
                load_generator(tmp_path / "a.pkl", "cpu")
    assert not any("evil" in vars(function) for function in functions)
    assert not any(hasattr(kind, "evil") for kind in (nvlabs._Options, nvlabs._Opaque, Callee))


def test_steps_are_counted() -> None:
    import io

    file = io.BytesIO(pickle.dumps([1, 2]) + pickle.dumps(3))
    assert count_steps(file, "a") > count_steps(file, "a") > 0


def test_a_network_larger_than_its_weights() -> None:
    weights = {"w": torch.zeros(8, 8)}
    with within(weights, "a.json"):
        torch.nn.Linear(8, 8)
    for ask in (
        lambda: torch.nn.Linear(1 << 14, 1 << 14),
        lambda: torch.zeros((1 << 20, 1 << 20)),
        lambda: torch.zeros(1).new_zeros(1 << 20, 1 << 20),
        lambda: torch.arange(10**12),
        lambda: torch.eye(10**6),
        lambda: torch.full((10**6, 10**6), 1.0),
        lambda: torch.empty(size=(10**6, 10**6)),
        lambda: [torch.zeros(1) for _ in range(10**5)],
        lambda: torch.nn.Linear(2**62, 2**62),
    ):
        with pytest.raises(WeightsError, match=r"a\.json"), within(weights, "a.json"):
            ask()


sides = st.integers(0, 2**40) | st.sampled_from([0, 1, 2, 3, 512, 4096, 2**31, 2**62])
shapes = st.lists(sides, max_size=5)
fuzz = settings(
    max_examples=50, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    save_generator(tiny_generator(), tmp_path_factory.mktemp("g") / "g.safetensors")
    return tiny_generator().state_dict()


@fuzz
@given(which=st.integers(0, 40), shape=shapes)
def test_any_claim_of_a_tensor(
    tmp_path: Path, small: dict[str, torch.Tensor], which: int, shape: list[int]
) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(tiny_generator(), path)
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    about = json.loads(data[8 : 8 + length])
    names = sorted(about.keys() - {"__metadata__"})
    about[names[which % len(names)]]["shape"] = shape
    header = json.dumps(about).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data[8 + length :])
    told = json.loads((tmp_path / "g.json").read_text())
    told.pop("sha256")
    (tmp_path / "g.json").write_text(json.dumps(told))
    if shape == list(small[names[which % len(names)]].shape):
        return
    with pytest.raises(CheckpointError):
        load_generator(path, "cpu")


@fuzz
@given(which=st.integers(0, 40), shape=shapes, legacy=st.booleans())
def test_any_claim_of_a_torch_file(
    tmp_path: Path, small: dict[str, torch.Tensor], which: int, shape: list[int], legacy: bool
) -> None:
    state = dict(small)
    name = sorted(state)[which % len(state)]
    shape = [side % 2**31 for side in shape]
    if shape == list(state[name].shape):
        return
    try:
        state[name] = torch.zeros(1).as_strided(shape, [0] * len(shape))
    except RuntimeError:
        return  # torch itself has no such tensor
    path = tmp_path / "g.pth"
    torch.save({"G_ema": state}, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(CheckpointError):
        load_generator(path, "cpu")


@fuzz
@given(which=st.integers(0, 20), value=sides)
def test_any_size_in_a_judges_description(tmp_path: Path, which: int, value: int) -> None:
    from multimodal.recognition.judge import Judge, JudgeConfig, save_judge

    path = tmp_path / "judge.safetensors"
    if not path.is_file():
        save_judge(Judge(JudgeConfig({"age": ("young", "old")}, 32, 32, *[(2,) * 4] * 2, 8)), path)
    beside = path.with_suffix(".json")
    about = json.loads(beside.read_text())
    names = sorted(n for n, v in about["judge"].items() if isinstance(v, int))
    about["judge"][names[which % len(names)]] = value
    other = tmp_path / "other"
    other.mkdir(exist_ok=True)
    (other / path.name).write_bytes(path.read_bytes())
    (other / beside.name).write_text(json.dumps(about))
    with contextlib.suppress(WeightsError):
        load_judge(other)


def test_what_holds_what_it_claims_is_read(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "a.safetensors")
    assert read_tensors(tmp_path / "a.safetensors")["w"].shape == (2,)


counts = st.integers(0, 2**31 - 1) | st.sampled_from([0, 1, 255, 256, 2**16, 2**29, 2**31 - 1])
claims = st.one_of(
    counts.map(lambda n: b"r" + struct.pack("<I", n)),  # a place of the memo
    counts.map(lambda n: b"p" + str(n).encode() + b"\n"),
    counts.map(lambda n: b"B" + struct.pack("<I", n)),  # so many bytes
    counts.map(lambda n: b"\x8e" + struct.pack("<Q", n << 20)),
    counts.map(lambda n: b"\x96" + struct.pack("<Q", n << 10)),
    counts.map(lambda n: b"X" + struct.pack("<I", n)),  # so long a text
    counts.map(lambda n: b"\x8b" + struct.pack("<i", n)),  # so long a number
    counts.map(lambda n: b"\x95" + struct.pack("<Q", n << 10)),  # so long a frame
    counts.map(lambda n: b"cbuiltins\nbytearray\nJ" + struct.pack("<i", n) + b"\x85R"),
    counts.map(lambda n: b"c__builtin__\nset\nJ" + struct.pack("<i", n) + b"\x85R"),
    counts.map(lambda n: b"ctorch\nFloatTensor\nJ" + struct.pack("<i", n) + b"\x85R"),
    counts.map(
        lambda n: b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
        b"X\x03\x00\x00\x00cpuJ" + struct.pack("<i", n) + b"tQ"
    ),
    st.binary(max_size=4),
)  # fmt: skip


@fuzz
@given(parts=st.lists(claims, min_size=1, max_size=6), kind=st.sampled_from(["pkl", "old", "zip"]))
def test_any_claim_of_a_pickle(tmp_path: Path, parts: list[bytes], kind: str) -> None:
    data = b"\x80\x02N" + b"".join(parts) + b"."
    path = tmp_path / ("a.pkl" if kind == "pkl" else "a.pt")
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("archive/data.pkl", data)
            packed.writestr("archive/data/0", b"1234")
            packed.writestr("archive/version", b"3\n")
    elif kind == "old":
        heads = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(head, 2) for head in heads) + data)
    else:
        path.write_bytes(data)
    with grown_mib() as grown:
        with pytest.raises(CheckpointError):
            load_generator(path, "cpu")
        assert grown() < MOST_MIB
