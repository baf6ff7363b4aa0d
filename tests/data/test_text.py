"""Text: wrong files get one line each, repeats go, splits cover everything, unseen characters are unknown."""

import gzip
import os
from pydoc_data.topics import topics

import numpy as np
import pytest

from jaxgru.data import DataError
from jaxgru.data import text as texts
from jaxgru.data.vocabulary import Characters


def test_the_reference_is_the_standard_librarys():
    text = texts.language_reference()
    assert all(topic.strip("\n") in text for topic in topics.values())
    assert text == texts.language_reference()


def test_repeated_paragraphs_are_dropped_and_nothing_else():
    text = texts.drop_repeats(texts.language_reference())
    paragraphs = text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    assert set(paragraphs) == set(texts.language_reference().split("\n\n"))
    assert 300_000 < len(text) < len(texts.language_reference())


def test_a_file_is_read_as_it_stands(tmp_path):
    text = "Ünïcode — ∂h/∂t\r\n\n\ttabs\x01 and 🎵\n"
    plain, packed, marked = tmp_path / "a.txt", tmp_path / "a.txt.gz", tmp_path / "b.txt"
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    marked.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert texts.read(plain) == texts.read(packed) == texts.read(marked) == text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b"abc\xff\xfedef", "not UTF-8 text: byte 0xff at offset 3"),
        ("naïve".encode("latin-1"), "not UTF-8 text: byte 0xef at offset 2"),
        ("cut €".encode()[:-1], "not UTF-8 text: byte 0xe2 at offset 4"),
        (
            gzip.compress(b"")[:10],
            "a damaged gzip file: Compressed file ended before the end-of-stream marker was reached",
        ),
        (gzip.compress(b"\xff"), "not UTF-8 text: byte 0xff at offset 0"),
        (gzip.compress(b""), "the file is empty"),
        (b"a\0", "line 1: it holds NUL, as text does not"),
        (b"a\r\nb\r\r\n\0\n", "line 3: it holds NUL, as text does not"),
        (b"a\rb\r\0", "line 3: it holds NUL, as text does not"),
        (gzip.compress(b"\n\0\0\n\0"), "line 2: it holds NUL, as text does not"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path, content, fault):
    path = tmp_path / "wrong.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        texts.read(path)
    assert str(error.value) == f"{path}: {fault}"


@pytest.mark.parametrize("place", [2, 3, 10, 20, 60, -8, -1])
def test_a_damaged_gzip_file_never_passes(tmp_path, place):
    whole = bytearray(gzip.compress(bytes(range(32, 127)), mtime=0))
    whole[place] ^= 0x55
    path = tmp_path / "damaged.gz"
    path.write_bytes(bytes(whole))
    with pytest.raises(DataError, match=r"^[^\n]*damaged\.gz: a damaged gzip file: [^\n]+$"):
        texts.read(path)


def test_missing_folders_and_devices_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: no such file$"):
        texts.read(tmp_path / "none.txt")
    with pytest.raises(DataError, match=r": a folder, not a text file$"):
        texts.read(tmp_path)
    with pytest.raises(DataError, match=r"^/dev/null: not a regular file$"):
        texts.read("/dev/null")


def test_a_huge_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "MAX_BYTES", 2 << 20)
    path = tmp_path / "huge.gz"
    path.write_bytes(gzip.compress(bytes((2 << 20) + 1)))
    with pytest.raises(DataError, match=r"huge\.gz: larger than 2 MiB; train on a part of it$"):
        texts.read(path)


def test_a_path_that_cannot_be_is_refused():
    with pytest.raises(DataError, match=r"^'a\\x00b': no file has such a name$"):
        texts.read("a\0b")


def test_a_name_that_is_too_long_is_refused():
    name = "a" * 300
    for look in (texts.read, texts.is_folder):
        with pytest.raises(DataError) as error:
            look(name)
        assert str(error.value) == f"{name}: cannot be read: File name too long"


def test_a_folder_is_told_from_a_file(tmp_path):
    (tmp_path / "file").write_text("a")
    found = [texts.is_folder(path) for path in (tmp_path, str(tmp_path), tmp_path / "file", tmp_path / "no")]
    assert found == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "end"),
    [("a\nb", "\n"), ("a\r\nb", "\n"), ("a\rb\n", "\n"), ("a\rb", "\r"), ("a", "\n"), ("", "\n")],
)
def test_carriage_returns_end_lines_where_nothing_else_does(text, end):
    assert texts.line_end(text) == end


@pytest.mark.parametrize("length", [1, 2, 19, 20, 100, 373_344])
def test_splits_cover_every_position_once_and_in_order(length):
    split = texts.split(length, validation=0.05, test=0.1)
    assert [i for part in split for i in part] == list(range(length))
    assert len(split.test) == length // 10
    assert len(split.validation) == length // 20


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / os.fsdecode(b"\xffa.wav")).touch()
    with pytest.raises(DataError) as error:
        list(texts.below(tmp_path))
    what = r"a name in it is not UTF-8: b'\xffa.wav'; rename it"
    assert str(error.value) == f"{tmp_path / 'folder'}: {what}"


def test_a_corpus_drops_repeats_of_the_reference_and_keeps_those_of_a_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("again\n\n" * 20)

    def load(path, repeats):
        return texts.Corpus.load(path, repeats=repeats, validation=0.1, test=0.2)

    assert load(str(path), "auto").text == load(str(path), "keep").text == path.read_text()
    assert load("", "auto").text == load("", "drop").text == texts.drop_repeats(texts.language_reference())
    assert load("", "keep").text == texts.language_reference()
    with pytest.raises(DataError) as error:
        load(str(path), "drop")
    assert str(error.value) == f"{path}: too short: 7 characters leave none for validation"


def test_vocabulary_codes_what_it_knows_and_says_what_it_does_not():
    vocabulary = Characters("hello, wörld\n🎵")
    assert vocabulary.decode(vocabulary.encode("hello, 🎵 wörld")) == "hello, 🎵 wörld"
    ids = vocabulary.encode("ha\x00Z\udc80")
    assert ids.dtype == np.int32
    assert ids.tolist() == [vocabulary.characters.index("h"), *[vocabulary.unknown] * 4]
    assert vocabulary.decode(ids) == "h" + "�" * 4
    assert len(vocabulary) == len(set("hello, wörld\n🎵")) + 1
