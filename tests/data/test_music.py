"""Collections of music: read from where they stand, split by tune, or refused in one line."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from jaxgru.data import DataError, midi, music
from jaxgru.data.music import Music, dealt, lot, read_piece
from jaxgru.data.rolls import KEYS, Piece, tune_of
from tests.data.scores import chorale, mxl, note, score
from tests.data.test_matfiles import cells

PARTS = ("train", "validation", "test")


def load(path: Path | str) -> Music:
    return Music.load(str(path), grid=4, validation=0.2, test=0.2)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def matrices(path: Path, **parts: list[np.ndarray]) -> Path:
    scipy.io.savemat(path, {name: cells(*rolls) for name, rolls in parts.items()})
    return path


def pieces(count: int) -> list[Piece]:
    rng = np.random.default_rng(0)
    rolls = [chorale(rng, 40) for _ in range(count)]
    return [Piece(f"{i}", roll, tune_of(roll)) for i, roll in enumerate(rolls)]


def test_a_mat_file_keeps_its_split(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rolls = [chorale(rng, steps) for steps in (5, 9, 3)]
    found = load(matrices(tmp_path / "a.mat", traindata=rolls[:1], validdata=rolls[1:2], testdata=rolls[2:]))
    for part, roll in zip(PARTS, rolls, strict=True):
        (piece,) = getattr(found, part)
        np.testing.assert_array_equal(piece.roll, roll)
        assert piece.roll.dtype == np.uint8
    assert found.test[0].name == "testdata[0]"


@pytest.mark.parametrize(
    ("roll", "fault"),
    [
        (np.ones((3, 87)), "validdata[0] is a matrix of 3 × 87; it should be 1 to 65536 steps × 88 keys"),
        (np.ones((0, 88)), "validdata[0] is a matrix of 0 × 88; it should be 1 to 65536 steps × 88 keys"),
        (2 * np.ones((3, 88)), "validdata[0] holds other numbers than 0 and 1"),
        (np.full((3, 88), np.nan), "validdata[0] holds other numbers than 0 and 1"),
    ],
)
def test_matrices_that_are_no_piano_rolls(tmp_path: Path, roll: np.ndarray, fault: str) -> None:
    good = [np.eye(88)]
    assert refusal(matrices(tmp_path / "a.mat", traindata=good, validdata=[roll], testdata=good)) == fault


def test_a_part_without_pieces_is_refused(tmp_path: Path) -> None:
    good = [np.eye(88)]
    assert (
        refusal(matrices(tmp_path / "a.mat", traindata=good, validdata=[], testdata=good))
        == "validdata holds no matrix"
    )


def test_a_folder_is_split_by_tune(tmp_path: Path) -> None:
    for each in pieces(60):
        midi.write(tmp_path / f"{each.name}.mid", {"all": each.roll}, grid=4, tempo=80)
    found = load(tmp_path)
    names = {part: {each.name for each in getattr(found, part)} for part in PARTS}
    assert sorted(name for part in names.values() for name in part) == sorted(map(str, range(60)))
    assert min(map(len, names.values())) > 3
    by_name = {each.name: each for each in pieces(60)}
    for part in PARTS:
        for each in getattr(found, part):
            np.testing.assert_array_equal(each.roll, by_name[each.name].roll)
            assert {"test": lot(each.tune) < 0.2, "train": lot(each.tune) >= 0.4}.get(part, True)


def test_pieces_with_one_tune_are_for_the_same() -> None:
    """Also when one stands in another key, is slower, or has other voices below."""
    twins = []
    for each in pieces(40):
        other = np.roll(np.repeat(each.roll, 2, axis=0), 3, axis=1)
        for step in other:
            step[np.flatnonzero(step)[0]] = 0
        twins.append(Piece(f"{each.name} again", other, tune_of(other)))
    parts = dealt(pieces(40) + twins, 0.3, 0.3)
    assert min(map(len, parts.values())) > 3
    for part in parts.values():
        names = [each.name for each in part]
        assert {name for name in names if "again" not in name} == {
            n.removesuffix(" again") for n in names if "again" in n
        }


def test_a_split_does_not_depend_on_what_else_is_there() -> None:
    few, many = dealt(pieces(10), 0.2, 0.2), dealt(pieces(60), 0.2, 0.2)
    for part in PARTS:
        assert {each.name for each in few[part]} <= {each.name for each in many[part]}


def test_a_folder_with_parts_keeps_its_split(tmp_path: Path) -> None:
    for folder, each in zip(("train", "valid", "test", "test/more"), pieces(4), strict=True):
        (tmp_path / folder).mkdir()
        midi.write(tmp_path / folder / f"{each.name}.mid", {"all": each.roll}, grid=4, tempo=80)
    (tmp_path / "train" / "notes.txt").write_text("no music")
    found = load(tmp_path)
    assert [[each.name for each in getattr(found, part)] for part in PARTS] == [["0"], ["1"], ["2", "3"]]


def write(folder: Path, names: str, each: Piece) -> None:
    """A piece under a name in some folders."""
    for name in names.split():
        (folder / name).mkdir(parents=True, exist_ok=True)
        midi.write(folder / name / f"{each.name}.mid", {"all": each.roll}, grid=4, tempo=80)


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "Val"])
def test_validation_has_many_names(tmp_path: Path, name: str) -> None:
    for folder, each in zip(("train", name, "test"), pieces(3), strict=True):
        write(tmp_path, folder, each)
    found = load(tmp_path)
    assert [[each.name for each in getattr(found, part)] for part in PARTS] == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize(("given", "part"), [("test", "validation"), ("valid", "test")])
def test_a_part_without_a_folder_is_drawn_from_training(tmp_path: Path, given: str, part: str) -> None:
    """By tune, and the pieces of the other folder stay what they are."""
    for each in pieces(40):
        write(tmp_path, given if int(each.name) < 3 else "train", each)
    found = load(tmp_path)
    names = {of: {each.name for each in getattr(found, of)} for of in PARTS}
    (kept,) = {"validation", "test"} - {part}
    assert names[kept] == {"0", "1", "2"}
    assert names[part] == {each.name for each in pieces(40)[3:] if lot(each.tune) < 0.2}
    assert len(names[part]) > 3
    assert len(names["train"]) == 37 - len(names[part])


def test_a_folder_for_the_test_is_never_trained_on(tmp_path: Path) -> None:
    write(tmp_path, "test", pieces(1)[0])
    assert refusal(tmp_path) == "a folder test, and none named train beside it"
    write(tmp_path, "val", pieces(1)[0])
    assert refusal(tmp_path) == "a folder val and test, and none named train beside it"


def test_pieces_that_stand_in_two_folders_are_scored_in_none(tmp_path: Path) -> None:
    a, b, c, d, e = pieces(5)
    for names, each in {"train val test": a, "val test": b, "train test": c, "test": d, "train": e}.items():
        write(tmp_path, names, each)
    found = load(tmp_path)
    assert [[each.name for each in getattr(found, part)] for part in PARTS] == [["0", "2", "4"], ["1"], ["3"]]
    assert (found.repeated, found.leaked) == (1, 3)
    (tmp_path / "test" / "3.mid").unlink()
    assert refusal(tmp_path) == "each of the 3 pieces for test stands in another part, too"


def test_the_split_of_a_mat_file_stays_and_what_leaks_is_counted(tmp_path: Path) -> None:
    a, b, c = (each.roll for each in pieces(3))
    split = {"traindata": [a, a], "validdata": [a, b], "testdata": [a, b, c]}
    found = load(matrices(tmp_path / "a.mat", **split))
    assert [len(getattr(found, part)) for part in PARTS] == [2, 2, 3]
    assert (found.repeated, found.leaked) == (1, 2)


def test_few_pieces_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for each in pieces(2):
        write(tmp_path, ".", each)
    write(tmp_path, "more", pieces(1)[0])
    assert [round(lot(each.tune), 2) for each in pieces(2)] == [0.08, 0.66]
    for shares, part, mend in (
        ((0.2, 0.1), "validation", "raise data.validation"),
        ((0.2, 0.05), "test", "raise data.test"),
        ((0.6, 0.1), "train", "lower data.validation and data.test"),
    ):
        with pytest.raises(DataError) as error:
            Music.load(str(tmp_path), grid=4, validation=shares[0], test=shares[1])
        how = f"{mend}, or use folders named train, valid and test"
        assert str(error.value) == f"{tmp_path}: none for {part} among 3 pieces of 2 tunes; {how}"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a.mid", "one MIDI file; there should be a folder of them"),
        ("a.MXL", "one score; there should be a folder of them"),
        ("a.txt", "neither a folder of MIDI files or scores, nor a .mat file of piano rolls"),
    ],
)
def test_a_file_that_is_no_collection(tmp_path: Path, name: str, fault: str) -> None:
    (tmp_path / name).write_bytes(b"MThd")
    assert refusal(tmp_path / name) == fault


def test_a_name_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path, "train", pieces(1)[0])
    (tmp_path / "train" / "0.mid").rename(tmp_path / "train" / "p\udcff1.mid")
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert str(error.value) == f"{tmp_path / 'train'}: a name in it is not UTF-8: b'p\\xff1.mid'; rename it"


def test_a_score_is_a_piece_whose_tune_is_its_first_part(tmp_path: Path) -> None:
    path = mxl(tmp_path / "song.mxl", score(note("C4", 2) + note("E4", 4), note("G4", 4) + note("A4", 2)))
    piece = read_piece(path, grid=2)
    assert (piece.name, piece.tune) == ("song", (4,))
    assert [np.flatnonzero(step).tolist() for step in piece.roll] == [[39, 46]] * 2 + [[43, 46]] * 2 + [
        [43, 48]
    ] * 2


def test_the_default_is_the_chorales_of_four_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(40):
        voices = [note("CDEFGAB"[(i // 7 + j * i) % 7] + "4", 2) for j in range(5)]
        mxl(tmp_path / f"bwv{i}.mxl", score(*["".join(voices)] * (4 if i % 2 else 5)))
    asked: list[str] = []
    monkeypatch.setattr(music, "fetch", lambda name: asked.append(name) or tmp_path)
    found = load("")
    assert asked == ["bach"]
    assert sum(len(getattr(found, part)) for part in PARTS) == 20
    assert found.source == "Bach's chorales in four parts"
    assert all(int(each.name[3:]) % 2 for each in found.train)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_never_opened(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under whatever name."""
    content = pickle.dumps({"train": [[(60, 64)]]}, protocol)
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(pickle, "loads", None)
    what = "a pickle, which can run any program when it is opened; jaxgru never opens one"
    for name in ("JSB Chorales.pickle", "a.mat", "a.pkl"):
        (tmp_path / name).write_bytes(content)
        mend = "Use the same music as a .mat file or as a folder of MIDI files"
        assert refusal(tmp_path / name) == f"{what}. {mend}"


def test_other_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path / "none.mat") == "no such file"
    assert refusal(tmp_path) == "no file whose name ends in .mid, .midi, .mxl, .musicxml, .xml"
    mxl(tmp_path / "a.mxl", score(note("", 2)))
    with pytest.raises(DataError, match=r"a\.mxl: no note that a piano has$"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"a\.txt: not a piece: its name should end in \.mid, "):
        read_piece(tmp_path / "a.txt", 4)
    mxl(tmp_path / "a.mxl", score(note("C4", 10**8)))
    with pytest.raises(DataError, match=r"a\.mxl: 200000000 steps; a piece has 65536 at most$"):
        load(tmp_path)
    mxl(tmp_path / "a.mxl", score(note("C4", 8)))
    monkeypatch.setattr(music, "STEPS", 15)
    assert refusal(tmp_path) == "more than 15 steps; train on a part of it"
    monkeypatch.setattr(music, "FILES", 0)
    assert refusal(tmp_path) == "more than 0 pieces"


def test_the_digest_tells_every_note_and_split(tmp_path: Path) -> None:
    rolls = [np.eye(88), np.eye(88)[:9]]
    split = [
        (rolls, rolls[:1], rolls[:1]),
        (rolls[:1], rolls, rolls[:1]),
        ([rolls[0], rolls[0][:8]], rolls[:1], rolls[:1]),
    ]
    digests = set()
    for train, valid, test in split:
        path = matrices(tmp_path / "a.mat", traindata=list(train), validdata=list(valid), testdata=list(test))
        assert load(path).sha256 == load(path).sha256
        digests.add(load(path).sha256)
    assert len(digests) == 3
    assert all(len(digest) == len(hashlib.sha256().hexdigest()) for digest in digests)


def test_keys_beyond_the_piano_are_left_out(tmp_path: Path) -> None:
    piece = read_piece(
        mxl(tmp_path / "a.mxl", score(note("C0", 2) + note("A0", 2) + note("C8", 2) + note("D8", 2))), 1
    )
    assert piece.roll.shape == (4, KEYS)
    assert piece.roll.sum(1).tolist() == [0, 1, 1, 0]
