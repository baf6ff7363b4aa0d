"""Text as words: cut as said, put together so that it reads well, wrong files named with their fault."""

import gzip
from pathlib import Path

import pytest

from jaxgru.data import DataError
from jaxgru.data.text import drop_repeats, language_reference
from jaxgru.data.wordtext import END, Lines, Prose, Tokens, WordText, frequent

GOOD = {"ptb.train.txt": " a b c \n b a \n", "ptb.valid.txt": " a <unk> \n", "ptb.test.txt": " d a \n b \n"}


def load(path: Path | str, repeats: str = "auto", validation: float = 0.1, test: float = 0.2) -> WordText:
    return WordText.load(str(path), repeats=repeats, validation=validation, test=test)


def fault(path: Path) -> str:
    with pytest.raises(DataError) as error:
        load(path)
    return str(error.value)


def make_folder(path: Path, **changes: bytes | None) -> Path:
    """A folder of the three files, those named in `changes` written otherwise, or left out."""
    path.mkdir()
    for name, content in GOOD.items():
        changed = changes.get(name.split(".")[1], content.encode())
        if changed is not None:
            (path / name).write_bytes(changed)
    return path


class TestProse:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("The dog's bone, the dogs’ bones.", "The dog's bone , the dogs ’ bones . <eos>"),
            ("one\ntwo\r\nthree", "one two three <eos>"),
            ("one\n \t\n\n\ntwo\n\n", "one <eos> two <eos>"),
            ("Title\n*****\n", "Title *** <eos>"),
            (">>> f(x)...  ))", ">>> f ( x ) ... ) ) <eos>"),
            ('a == b ** 2, "", ``c``', 'a == b ** 2 , "" , `` c `` <eos>'),
            ("d = {}; x[:] = dict() + []", "d = {} ; x [ : ] = dict () + [] <eos>"),
            ("naïve 東京 x_1 3.5", "naïve 東京 x_1 3 . 5 <eos>"),
            ("<eos> <unk>", "< eos > < unk > <eos>"),
            ("\n\n \n", ""),
            ("", ""),
        ],
    )
    def test_words_and_marks_are_told_apart(self, text: str, words: str) -> None:
        assert Prose().split(text) == words.split()

    @pytest.mark.parametrize(
        "text",
        [
            'If "x" is None, it\'s "y" (or \'z\'); see [1].\n\n',
            "self-made and/or object.__add__(self, 3).\n\nMore: 5%!\n\n",
            'An "open quote.\n\n"Closed" here.\n\n',
            "Call f() of *this* or **that**.\n\n",
            "",
        ],
    )
    def test_what_reads_well_stays_as_it_is(self, text: str) -> None:
        assert Prose().join(Prose().split(text)) == text

    @pytest.mark.parametrize("tokens", [Prose(), Lines()])
    def test_the_text_of_the_first_words_is_the_start_of_the_text(self, tokens: Tokens) -> None:
        words = Prose().split(language_reference()[:3000])
        whole = tokens.join(words)
        for count in range(0, len(words), 7):
            assert whole.startswith(tokens.join(words[:count]))

    @pytest.mark.parametrize("tokens", [Prose(), Lines()])
    def test_cutting_what_was_joined_gives_the_words_again(self, tokens: Tokens) -> None:
        words = Prose().split(language_reference()[:20_000])
        again = tokens.split(tokens.join(words))
        if isinstance(tokens, Lines):
            assert again == words
        else:  # but for marks that, blanks left out, stand beside their like
            assert abs(len(again) - len(words)) < 0.02 * len(words)


def test_a_line_ends_with_eos_and_so_does_an_empty_one() -> None:
    assert Lines().split("a b\n\n c \n") == ["a", "b", END, END, "c", END]
    assert Lines().split("a") == Lines().split("a\n") == ["a", END]


def test_a_vocabulary_has_the_frequent_words_in_order_of_their_counts() -> None:
    words = ["b", "a", "c", "b", "<unk>", "<unk>", "a", "b", "<eos>"]
    assert frequent(words, 1) == [END, "b", "a", "c"]
    assert frequent(words, 3) == [END, "b"]
    assert frequent(["a"], 2) == [END]


class TestLoad:
    def test_a_text_is_split_by_position(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt.gz"
        path.write_bytes(gzip.compress(b"a b c d e f g h i\n"))
        text = load(path)
        assert text.words == [*"abcdefghi", END]
        assert (text.split.train, text.split.validation, text.split.test) == (
            range(7),
            range(7, 8),
            range(8, 10),
        )
        assert text.source == str(path)

    def test_empty_means_the_reference_without_repeats(self) -> None:
        words = Prose().split(drop_repeats(language_reference()))
        assert load("").words == load("", "drop").words == words
        assert len(load("", "keep").words) > len(words)

    def test_a_files_repeats_stay_unless_told(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("once more, and again and again, ten words\n\n" * 3)
        assert len(load(path).words) == len(load(path, "keep").words) == 3 * len(load(path, "drop").words)

    def test_a_folder_is_split_as_its_files_are(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path / "ptb")
        (folder / "ptb.char.train.txt").write_text("a _ b\n")
        (folder / "README").write_text("no data\n")
        text = load(folder)
        assert " ".join(text.words) == "a b c <eos> b a <eos> a <unk> <eos> d a <eos> b <eos>"
        assert (text.split.train, text.split.validation, text.split.test) == (
            range(7),
            range(7, 10),
            range(10, 15),
        )
        assert text.tokens == Lines()

    def test_other_names_for_files_are_known(self, tmp_path: Path) -> None:
        for name in ("wiki.train.tokens", "validation.txt", "my_test.txt"):
            (tmp_path / name).write_text("a b\n")
        assert len(load(tmp_path).words) == 9

    def test_the_hash_tells_texts_apart_and_equal_ones_not(self, tmp_path: Path) -> None:
        folders = [
            make_folder(tmp_path / "a"),
            make_folder(tmp_path / "b"),
            make_folder(tmp_path / "c", test=b"d\n"),
        ]
        first, second, third = (load(folder).sha256 for folder in folders)
        assert first == second != third


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "the file is empty"),
            (b" \n\n\t\n", "no word at all"),
            (b"caf\xe9", "not UTF-8 text: byte 0xe9 at offset 3"),
            (b"word", "too short: 2 words leave none for validation"),
            (b"some words\nand \0 more", "line 2: it holds NUL, as text does not"),
            (
                gzip.compress(b"some words")[:-9],
                "a damaged gzip file: Compressed file ended before the end-of-stream marker was reached",
            ),
        ],
    )
    def test_a_wrong_file(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "wrong.txt"
        path.write_bytes(content)
        assert fault(path) == f"{path}: {message}"

    def test_a_missing_file(self, tmp_path: Path) -> None:
        assert fault(tmp_path / "none.txt") == f"{tmp_path / 'none.txt'}: no such file"

    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        path = tmp_path / ("a" * 300)
        assert fault(path) == f"{path}: cannot be read: File name too long"

    @pytest.mark.parametrize(
        ("part", "name"), [("train", "train"), ("valid", "validation"), ("test", "test")]
    )
    def test_a_folder_without_a_file(self, tmp_path: Path, part: str, name: str) -> None:
        folder = make_folder(tmp_path / "ptb", **{part: None})
        assert fault(folder) == f"{folder}: no file for {name}: its name should end in {part}.txt"

    def test_two_files_for_one_part(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path / "ptb")
        (folder / "other.dev.txt").write_text("a\n")
        assert fault(folder) == f"{folder}: other.dev.txt and ptb.valid.txt could both be for validation"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "the file is empty"),
            (b"\n\n", "no word at all"),
            (b"\xff", "not UTF-8 text: byte 0xff at offset 0"),
        ],
    )
    def test_a_wrong_file_in_a_folder_is_named(self, tmp_path: Path, content: bytes, message: str) -> None:
        folder = make_folder(tmp_path / "ptb", test=content)
        assert fault(folder) == f"{folder / 'ptb.test.txt'}: {message}"
