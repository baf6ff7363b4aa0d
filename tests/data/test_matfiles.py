"""Matrices in .mat files: read as scipy reads them, or refused in one line, within bounds."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from jaxgru.data import DataError, matfiles
from tests.data.scores import array, element, mat

NAMES = ["traindata", "testdata"]
ONE = array(9, (1, 2), b"", element(2, b"\0\1"))


def cells(*rolls: np.ndarray) -> np.ndarray:
    made = np.empty((1, len(rolls)), object)
    made[0, :] = rolls
    return made


def shaped(kind: int, shape: bytes) -> bytes:
    """A cell that holds nothing, and whose shape is of such numbers."""
    return element(14, element(6, struct.pack("<II", 1, 0)) + element(kind, shape) + element(1, b"traindata"))


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        matfiles.read(path, NAMES)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8", "i8"])
def test_it_reads_what_scipy_writes(tmp_path: Path, dtype: str, packed: bool) -> None:
    rng = np.random.default_rng(0)
    rolls = [rng.integers(0, 2, (steps, 88)).astype(dtype) for steps in (3, 1, 40)]
    content = {"traindata": cells(*rolls), "note": "text", "testdata": cells(rolls[1]), "x": {"a": 1}}
    scipy.io.savemat(tmp_path / "a.mat", content, do_compression=packed)
    found = matfiles.read(tmp_path / "a.mat", NAMES)
    assert [*found] == NAMES
    for roll, mine in zip([*rolls, rolls[1]], found["traindata"] + found["testdata"], strict=True):
        np.testing.assert_array_equal(mine, roll)
        assert mine.dtype == roll.dtype


def test_numbers_may_stand_the_other_way_round_and_narrower(tmp_path: Path) -> None:
    """MATLAB stores whole doubles as bytes, and old machines wrote the other byte order."""

    def big(kind: int, body: bytes) -> bytes:
        return struct.pack(">II", kind, len(body)) + body + b"\0" * (-len(body) % 8)

    def matrix(kind: int, shape: tuple[int, int], name: bytes, body: bytes) -> bytes:
        head = big(6, struct.pack(">II", kind, 0)) + big(5, struct.pack(">2i", *shape))
        return big(14, head + big(1, name) + body)

    cell = matrix(1, (1, 1), b"traindata", matrix(6, (2, 2), b"", big(3, struct.pack(">4h", 1, 0, 0, 1))))
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x100) + b"MI" + cell)
    found = matfiles.read(path, ["traindata"])["traindata"]
    np.testing.assert_array_equal(found[0], [[1, 0], [0, 1]])
    np.testing.assert_array_equal(scipy.io.loadmat(path)["traindata"][0, 0], found[0])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (
            b"\x89HDF\r\n\x1a\n" + b"\0" * 200,
            "a .mat file of version 7.3, which is not read; save it again with -v7",
        ),
        (b"PK\x03\x04", "not a .mat file of level 5, whose header ends in IM or MI after 126 bytes"),
        (mat(), "it holds no traindata; it should hold traindata, testdata"),
        (
            mat(array(1, (1, 1), b"traindata", ONE)),
            "it holds no testdata; it should hold traindata, testdata",
        ),
        (
            mat(array(9, (1, 1), b"traindata", element(2, b"\1"))),
            "traindata is no cell of matrices (of Python: a NumPy array of dtype object)",
        ),
        (mat(b"\0\0\0\0"), "damaged: it ends within the head of an element"),
        (
            mat(array(1, (1, 1), b"traindata", ONE))[:-8],
            "damaged or cut short: an element of 120 bytes ends behind the file",
        ),
        (
            mat(array(1, (1, 2**30), b"traindata", ONE)),
            "damaged: traindata has 1 cells, and its shape is (1, 1073741824)",
        ),
        (
            mat(array(1, (1, 1), b"traindata", array(9, (2**16, 2**16), b"", element(2, b"\0\1")))),
            "damaged: a matrix of traindata has 2 numbers, and its shape is (65536, 65536)",
        ),
        (
            mat(array(1, (1, 1), b"traindata", array(9, (-1, -2), b"", element(2, b"\0\1")))),
            "damaged: an array whose shape is (-1, -2)",
        ),
        (mat(shaped(9, struct.pack("<2d", 1, 88))), "damaged: an array whose shape is of kind 9, and not 5"),
        (
            mat(shaped(13, struct.pack("<2Q", 0, 2**64 - 1))),
            "damaged: an array whose shape is of kind 13, and not 5",
        ),
        (
            mat(array(1, (1, 1), b"traindata", array(4, (1, 2), b"", element(16, b"ab")))),
            "traindata has a cell that is no matrix of real numbers",
        ),
        (
            mat(array(1, (1, 1), b"traindata", array(6, (1, 1), b"", element(9, b"abc")))),
            "damaged: 3 bytes are no whole 8-byte numbers",
        ),
        (
            mat(array(1, (1, 1), b"traindata", array(6, (1, 1), b"", element(14, b"")))),
            "damaged: an element of kind 14 where numbers should stand",
        ),
        (mat(array(1, (1, 1), b"traindata", element(2, b"\1"))), "damaged: a cell of traindata is no array"),
        (mat(element(14, b"")), "damaged: an array without class, shape and name"),
        (mat(element(15, b"no zlib!")), "damaged: Error -3 while decompressing data: incorrect header check"),
        (
            mat(struct.pack("<II", 15, 10) + zlib.compress(b"a" * 99)[:10]),
            "damaged: a compressed element is cut short",
        ),
        (mat(struct.pack("<HHI", 1, 9, 0)), "damaged: a short element of 9 bytes"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    assert refusal(tmp_path / "wrong.mat", content) == fault


def test_what_stands_deep_in_each_other_is_not_followed(tmp_path: Path) -> None:
    """scipy goes as deep as the file says, which ends the process."""
    inner = ONE
    for _ in range(2000):
        inner = array(1, (1, 1), b"traindata", inner)
    message = "traindata has a cell that is no matrix of real numbers"
    assert refusal(tmp_path / "deep.mat", mat(inner)) == message


def test_what_unfolds_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matfiles, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(matfiles, "ELEMENTS", 100)
    packed = zlib.compress(element(2, bytes((1 << 19) - 8)))  # two of them fill the room
    bombs = mat(*[struct.pack("<II", 15, len(packed)) + packed] * 3)
    assert refusal(tmp_path / "bomb.mat", bombs) == "it unfolds to more than 1 MiB"
    assert refusal(tmp_path / "large.mat", mat() + bytes(1 << 20)) == "larger than 1 MiB"
    assert refusal(tmp_path / "many.mat", mat(*[element(2, b"")] * 101)) == "more than 100 elements in one"


def test_a_file_that_scipy_writes_small_is_read(tmp_path: Path) -> None:
    stream = BytesIO()
    scipy.io.savemat(stream, {"traindata": cells(np.eye(2)), "testdata": cells(np.ones((1, 1)))})
    path = tmp_path / "a.mat"
    path.write_bytes(stream.getvalue())
    np.testing.assert_array_equal(matfiles.read(path, NAMES)["testdata"][0], [[1]])
