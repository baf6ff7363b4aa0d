"""Labelled texts: files are read or refused by line, splits are by rule, and nothing stands in two of them."""

import gzip
from collections import Counter
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from jaxgru.data import DataError, labelled, padding
from jaxgru.data import text as texts
from jaxgru.data.labelled import Example, Labelled, distinct, drawn, read, tokenise
from jaxgru.data.padding import pieces
from jaxgru.data.vocabulary import Words

ORDER = "the label comes first, label<TAB>text, and a class has several texts"
TABLE = "Category\tText\nd\tstring\nclass\t\n\n"


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def lines(label: str, *numbers: int) -> str:
    return "".join(f"{label}\ttext {label} {number}\n" for number in numbers)


def load(path: Path, validation: float = 0.1, test: float = 0.1) -> Labelled:
    return Labelled.load(path, validation=validation, test=test)


def refusal(path: Path) -> str:
    """What is said of a path, which stands in front."""
    with pytest.raises(DataError) as error:
        load(path)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def test_words_are_lower_case_and_marks_stand_alone() -> None:
    assert tokenise("Ölpreis: +3,5 % — it's UP?!") == (
        *("ölpreis", ":", "+", "3", ",", "5", "%", "—", "it's", "up", "?", "!"),
    )


def test_a_file_is_read_in_its_order(tmp_path: Path) -> None:
    content = "b\tone two\r\n\n a \tthree\tfour\u2028five\nb\tsix"
    examples = [
        Example("b", ("one", "two")),
        Example("a", ("three", "four", "five")),
        Example("b", ("six",)),
    ]
    assert read(write(tmp_path / "a.tsv", content)) == examples
    packed = tmp_path / "a.gz"
    packed.write_bytes(gzip.compress(content.encode()))
    assert read(packed) == examples


def test_the_header_of_a_table_is_no_text(tmp_path: Path) -> None:
    table = write(tmp_path / "x-train.tab", TABLE + "earn\tnet profit\nacq\tshares \n")
    assert read(table) == [Example("earn", ("net", "profit")), Example("acq", ("shares",))]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "no line with a label, a tab and a text"),
        (TABLE.encode(), "no line with a label, a tab and a text"),
        (b"a\tx\nb\ty\nc", "line 3: no tab between a label and a text: 'c'"),
        (b"a\tx\n\tno label", "line 2: no label before the tab"),
        (b"a\tx\nlabel only\t \n", "line 2: no text behind the label 'label only'"),
        (
            b'"3","Wall St. Bears Claw Back Into the Black","Short-sellers"\n',
            """line 1: no tab between a label and a text: '"3","Wall St. Bears Claw Back Into the …'""",
        ),
        (b"a\tx\nb\ty\0z\n", "line 2: it holds NUL, as text does not"),
        (b"\x7fELF\x02\x01\x01\0\0", "line 1: it holds NUL, as text does not"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not UTF-8 text: byte 0x89 at offset 0"),
        ("a\tnaïve".encode("latin-1"), "not UTF-8 text: byte 0xef at offset 4"),
        ("a\tx\n".encode("utf-16"), "not UTF-8 text: byte 0xff at offset 0"),
        (
            gzip.compress(b"a\tx\n" * 50)[:-9],
            "a damaged gzip file: Compressed file ended before the end-of-stream marker was reached",
        ),
        (
            b"good film\t1\nbad film\t0\nfine\t2\n",
            f"3 different labels on 3 texts to train on; {ORDER}",
        ),
        (b"a\tx\na\ty\na\tz\n", "one class only, 'a': there is nothing to tell apart"),
        (b"a\tx\nb\ty\na\tz\nb\tz z", "too few texts: 4 to train on, and none for validation"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "wrong.tsv"
    path.write_bytes(content)
    assert refusal(path) == fault


@hypothesis.given(
    st.lists(st.sampled_from([b"a", b"b", b"\t", b"\n", b"\r", b" ", b"\0", b"\xc3", b"\x1f\x8b"]))
)
@hypothesis.settings(max_examples=300, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_any_bytes_are_examples_or_a_fault(tmp_path: Path, parts: list[bytes]) -> None:
    path = tmp_path / "any.tsv"
    path.write_bytes(b"".join(parts))
    examples: list[Example] = []
    fault = ""
    try:
        examples = read(path)
    except DataError as error:
        fault = str(error)
    assert bool(examples) != bool(fault)
    assert all(label and words for label, words in examples)
    if fault:
        assert fault.startswith(f"{path}: ")
        assert len(fault.splitlines()) == 1


def test_a_missing_or_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path / "none.tsv") == "no such file"
    monkeypatch.setattr(texts, "MAX_BYTES", 2 << 20)
    path = tmp_path / "huge.gz"
    path.write_bytes(gzip.compress(b"a\tx\n" * (1 << 20)))
    assert refusal(path) == "larger than 2 MiB; train on a part of it"


def test_more_classes_than_a_matrix_has_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelled, "MOST", 2)
    content = "".join(lines(label, *range(20)) for label in "abc")
    assert refusal(write(tmp_path / "a.tsv", content)) == "3 classes; there can be 2"


def test_a_folder_without_its_files_is_refused(tmp_path: Path) -> None:
    mend = "its name should end in train.txt or train.tsv or train.tab"
    assert refusal(tmp_path) == f"no file for train: {mend}"
    write(tmp_path / "train.txt", lines("a", 1))
    assert refusal(tmp_path) == f"no file for test: {mend.replace('train', 'test')}"
    write(tmp_path / "r8-test.tab", lines("a", 1))
    write(tmp_path / "test.tsv", lines("a", 1))
    assert refusal(tmp_path) == "r8-test.tab and test.tsv could both be for test"


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert refusal(tmp_path) == "cannot be read: Permission denied"


def test_a_class_that_only_the_test_has_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.txt", lines("a", *range(20)) + lines("b", *range(20)))
    write(tmp_path / "test.txt", lines("a", 30) + lines("c", 30))
    assert refusal(tmp_path) == "test has the class 'c', and none of the texts to train on is of it"


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.5])
def test_each_class_gives_its_share(share: float) -> None:
    examples = [Example(label, (label, str(i))) for i in range(100) for label in "ab"[: 1 + (i < 40)]]
    rest, taken = drawn(examples, share)
    assert sorted(rest + taken) == sorted(examples)
    assert Counter(label for label, _ in taken) == {"a": round(100 * share), "b": round(40 * share)}
    assert sorted(taken, key=examples.index) == taken
    # It is spread over the file, not cut from an end of it.
    places = [int(words[1]) for label, words in taken if label == "a"]
    assert max(np.diff(places)) <= 1 / share + 1


def test_a_single_file_is_split_by_rule_and_repeats_go(tmp_path: Path) -> None:
    content = lines("a", *range(50)) + lines("b", *range(30)) + lines("a", 3, 4) + "b\tTEXT a 3\n"
    data = load(write(tmp_path / "a.tsv", content))
    parts = data.train, data.validation, data.test
    assert [len(part) for part in parts] == [66, 6, 8]
    assert (data.repeated, data.leaked) == (3, 0)
    assert len({words for part in parts for _, words in part}) == 80
    assert Example("a", ("text", "a", "3")) in data.train
    assert [words[-1] for label, words in data.test if label == "b"] == ["9", "19", "29"]
    assert data.classes == ["a", "b"]
    assert data.source == str(tmp_path / "a.tsv")


def test_a_folder_keeps_its_test_but_for_what_stands_in_training(tmp_path: Path) -> None:
    write(tmp_path / "r8-train.tab", TABLE + lines("a", *range(20), 5) + lines("b", *range(20)))
    write(tmp_path / "r8-test.tab", TABLE + lines("a", 3, 9, 30, 30) + lines("b", 31))
    write(tmp_path / "notes.txt", "no\n")
    data = load(tmp_path)
    assert (data.repeated, data.leaked) == (1, 2)
    assert [words[-1] for _, words in data.test] == ["30", "30", "31"]
    assert [(label, words[-1]) for label, words in data.validation] == [
        *(("a", "9"), ("a", "19"), ("b", "9"), ("b", "19"))
    ]
    assert len(data.train) == 36


@pytest.mark.parametrize("name", ["dev.tsv", "valid.txt", "sst-validation.txt"])
def test_a_file_for_validation_is_used_as_it_is(tmp_path: Path, name: str) -> None:
    write(tmp_path / "train.txt", lines("a", *range(20)) + lines("b", *range(20)))
    write(tmp_path / "test.txt", lines("a", 60, 70))
    write(tmp_path / name, lines("a", 1, 60) + lines("b", 60))
    data = load(tmp_path)
    assert [words[-1] for _, words in data.validation] == ["60", "60"]
    assert (len(data.train), data.repeated) == (40, 1)
    assert (len(data.test), data.leaked) == (1, 1)


def test_the_digest_tells_every_label_and_split(tmp_path: Path) -> None:
    content = lines("a", *range(20)) + lines("b", *range(20))
    digests = {
        load(write(tmp_path / "a.tsv", content)).sha256,
        load(write(tmp_path / "a.tsv", content.replace("a\t", "b\t", 1))).sha256,
        load(write(tmp_path / "a.tsv", content), validation=0.2).sha256,
    }
    assert len(digests) == 3
    assert load(write(tmp_path / "b.tsv", content)).sha256 in digests


def test_the_first_of_equal_texts_stays() -> None:
    x, y = Example("a", ("x",)), Example("a", ("y",))
    assert distinct([y, x, Example("b", ("y",)), x]) == [y, x]
    assert distinct([y, x], besides=[Example("c", ("y",))]) == [x]


def test_frequent_words_have_small_numbers_and_rare_ones_none() -> None:
    words = Words.of([("b", "c", "a"), ("c", "b", "d"), ("c",)], at_least=2)
    assert words.words == ["c", "b"]
    assert words.encode(("a", "b", "c", "x")).tolist() == [2, 1, 0, 2]
    assert words.encode(()).dtype == np.int32


def test_pieces_hold_each_sequence_once_in_few_shapes() -> None:
    lengths = np.random.default_rng(0).integers(1, 90, 150).tolist()
    batches = list(pieces(lengths))
    assert len(batches) == 3
    rows = np.concatenate([batch.rows for batch in batches])
    assert sorted(rows[rows >= 0].tolist()) == list(range(150))
    for batch in batches:
        assert batch.steps % padding.STEPS == 0
        assert batch.rows.shape == (padding.ROWS,)
        assert batch.lengths.max() <= batch.steps < batch.lengths.max() + padding.STEPS
        assert [lengths[row] if row >= 0 else 0 for row in batch.rows] == batch.lengths.tolist()
