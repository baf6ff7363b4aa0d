"""Parallel texts: files that belong together are found, parts are drawn by rule, and no source is in two of them."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, parallel
from jaxgru.data.parallel import Pair, Parallel, aligned, key, members, part, unlike
from tests.data.mo import mo

COUNT = 400
NUMBERS = [f"text {number}" for number in range(COUNT)]
EN_DE = ("en", "de")


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def german(text: str) -> str:
    return f"Nr. {text}"


def catalogue(sources: list[str]) -> bytes:
    return mo({source: german(source) for source in sources})


def load(path: Path | None, languages: tuple[str, str] = EN_DE, share: float = 0.2) -> Parallel:
    return Parallel.load(path, languages=languages, validation=share, test=share)


def refusal(path: Path, languages: tuple[str, str] = EN_DE) -> str:
    """What is said of a folder, which stands in front."""
    with pytest.raises(DataError) as error:
        load(path, languages)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ").replace(f"{path}/", "")


def parts(data: Parallel) -> list[list[Pair]]:
    return [data.train, data.validation, data.test]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two catalogues in the places of those that are fetched; every second text of one stands in the other."""
    write(tmp_path / "gramps", {"de.mo": catalogue(NUMBERS), "fr.mo": catalogue(NUMBERS[::3])})
    write(
        tmp_path / "indico",
        {"de.mo": catalogue([text.upper() for text in NUMBERS[::2]]), "fr.mo": catalogue(["x"])},
    )
    monkeypatch.setattr(parallel, "fetch", lambda name: tmp_path / name)
    return tmp_path


def test_texts_alike_have_one_key() -> None:
    assert {key(text) for text in ("Save as", " _save  AS…", "Sa_ve <b>as</b> %s:", '"save" {as} as')} == {
        "save as"
    }
    assert key("Straße") == key("STRASSE")
    assert len({key(text) for text in ("Save", "Saved", "Save as", "Save 1", "%s", "…", "")}) == 7


def test_shares_are_kept() -> None:
    drawn = [part(str(number), validation=0.05, test=0.1) for number in range(20_000)]
    assert abs(drawn.count("test") / 20_000 - 0.1) < 0.01
    assert abs(drawn.count("validation") / 20_000 - 0.05) < 0.01
    assert {part(str(number), 0, 0) for number in range(100)} == {"train"}


def test_a_text_keeps_its_part(tmp_path: Path) -> None:
    """Whatever the order, whatever else there is, and whichever way it is translated."""
    where = {
        pair.source: place
        for place, pairs in enumerate(parts(load_of(tmp_path / "a", NUMBERS)))
        for pair in pairs
    }
    assert len(where) == COUNT
    shuffled = np.random.default_rng(0).permutation([*NUMBERS[:100], *"abcdef"]).tolist()
    for languages, side in ((EN_DE, 0), (EN_DE[::-1], 1)):
        for place, pairs in enumerate(parts(load_of(tmp_path / "b", shuffled, languages))):
            assert all(where.get(pair[side], place) == place for pair in pairs)


def load_of(folder: Path, sources: list[str], languages: tuple[str, str] = EN_DE) -> Parallel:
    return load(write(folder, {"de.mo": catalogue(sources)}), languages)


def test_no_source_of_catalogues_stands_in_two_parts(fetched: Path) -> None:
    for languages in (EN_DE, EN_DE[::-1], ("en", "fr")):
        data = load(None, languages)
        keys = [{key(pair.source) for pair in pairs} for pairs in parts(data)]
        assert not keys[0] & keys[1]
        assert not keys[2] & (keys[0] | keys[1])
        assert [len(pairs) for pairs in parts(data)[1:]] == [len(each) for each in keys[1:]]
        assert data.leaked == 0
    assert load(None).repeated + sum(map(len, parts(load(None)))) == COUNT * 3 // 2


def test_catalogues_translate_both_ways(fetched: Path) -> None:
    there, back = load(None), load(None, EN_DE[::-1])
    for ways in zip(parts(there), parts(back), strict=True):
        assert ways[0] == [pair[::-1] for pair in ways[1]]
    assert there.source == back.source == "gramps and indico"
    assert there.sha256 != back.sha256
    assert there.sha256 == load(None).sha256


def test_one_translation_of_two_texts_does_not_leak_backwards(tmp_path: Path) -> None:
    folder = write(tmp_path, {"de.mo": mo({text: f"Nr. {at // 2}" for at, text in enumerate(NUMBERS)})})
    assert load(folder).repeated == 0
    data = load(folder, EN_DE[::-1])
    keys = [{key(pair.source) for pair in pairs} for pairs in parts(data)]
    assert not keys[0] & keys[1]
    assert not keys[2] & (keys[0] | keys[1])
    assert data.train == [pair[::-1] for pair in load(folder).train]
    assert data.repeated == COUNT - sum(map(len, parts(data))) > 0


def test_what_is_fetched_has_few_languages() -> None:
    for languages in (("en", "it"), ("de", "fr"), ("en", "en")):
        with pytest.raises(DataError) as error:
            load(None, languages)
        assert (
            str(error.value)
            == f"gramps and indico have en and one of de, fr, es, not {' and '.join(languages)}"
        )


def test_what_is_drawn_is_of_different_sources() -> None:
    pairs = [Pair("A", "a"), Pair("a:", "b"), Pair("B", "b"), Pair("b", "c")]
    assert unlike(pairs, besides=[Pair("b", "x")]) == [Pair("A", "a")]
    assert unlike(pairs, besides=[]) == [Pair("A", "a"), Pair("B", "b")]


def test_equal_pairs_to_train_on_count_once(tmp_path: Path) -> None:
    texts = [text for text in NUMBERS if part(text, 0.2, 0.2) == "train"][:3]
    others = [text for text in NUMBERS if part(text, 0.2, 0.2) != "train"][:20]
    english = "\n".join([*texts, texts[0], texts[0], *others, *others])
    dutch = "\n".join(["a", "b", "c", "a", "d", *others, *("another",) * len(others)])
    data = load(write(tmp_path, {"train.en": english, "train.nl": dutch}), ("en", "nl"))
    assert data.train == [Pair(texts[0], "a"), Pair(texts[1], "b"), Pair(texts[2], "c"), Pair(texts[0], "d")]
    assert sorted(data.validation + data.test) == sorted(Pair(text, text) for text in others)
    assert data.repeated == 1 + len(others)


def test_the_test_has_no_say(tmp_path: Path) -> None:
    """Other translations in the test change nothing that a model learns or is chosen by."""
    before = load_of(tmp_path / "a", NUMBERS)
    messages = {pair.source: pair.target for pairs in parts(before) for pair in pairs}
    tested = [pair.source for pair in before.test]
    messages |= dict(zip(tested, (german(text) for text in np.roll(tested, 1)), strict=True))
    after = load(write(tmp_path / "b", {"de.mo": mo(messages)}))
    assert (after.train, after.validation) == (before.train, before.validation)
    assert after.test != before.test
    assert [pair.source for pair in after.test] == tested
    assert after.sha256 != before.sha256


def test_parallel_files_are_read_line_by_line(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "train.de": "Ein  Hund\r\n\n\nZwei\u2028Katzen\nleer \n",
            "train.en": b"\xef\xbb\xbfA dog\r\n\nonly here\n two cats\n\t\n",
            "val.de.gz": gzip.compress(b"Drei"),
            "val.en.gz": gzip.compress(b"three"),
            "test_2016_flickr.de": "Vier\n",
            "test_2016_flickr.en": "four\n",
            "README.md": "about\n",
        },
    )
    data = load(folder, ("de", "en"))
    assert data.train == [Pair("Ein Hund", "A dog"), Pair("Zwei Katzen", "two cats")]
    assert data.validation == [Pair("Drei", "three")]
    assert data.test == [Pair("Vier", "four")]
    assert data.source == str(folder)


def test_files_for_a_part_are_taken_as_they_are(tmp_path: Path) -> None:
    """A test that repeats itself and what is trained on is scored whole, and that is said."""
    folder = write(
        tmp_path,
        {
            "train.de": "eins\nzwei\nzwei",
            "train.en": "one\ntwo\ntwo",
            "dev.de": "Eins\ndrei",
            "dev.en": "one\nthree",
            "test.de": "Zwei!\nvier\nvier\ndrei",
            "test.en": "two\nfour\nfour\n3",
        },
    )
    data = load(folder, ("de", "en"))
    assert [len(pairs) for pairs in parts(data)] == [2, 2, 4]
    assert (data.repeated, data.leaked) == (1, 2)


def test_what_has_no_files_is_drawn(tmp_path: Path) -> None:
    texts = "\n".join(NUMBERS)
    folder = write(tmp_path, {"train.en": texts, "train.de": texts, "test.en": "a", "test.de": "b"})
    data = load(folder)
    assert data.test == [Pair("a", "b")]
    assert abs(len(data.validation) - COUNT * 0.2) < 30
    assert len(data.train) + len(data.validation) == COUNT


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({}, "no texts for train: there should be train.en and train.de, plain or .gz, or catalogues, .mo"),
        ({"train.en": "a", "test.en": "b"}, "train.en is there for train, but not in both en and de"),
        (
            {"train.en": "a", "train.de": "b", "val.de.gz": "c"},
            "val.de.gz is there for validation, but not in both en and de",
        ),
        (
            {"train.en": "a", "train.de": "b", "test1.de": "c", "test2.de": "c"},
            "test1.de and test2.de could both be for test",
        ),
        ({"train.en": "a", "train.en.gz": "b"}, "train.en and train.en.gz could both be for train"),
        (
            {"train.en": "a\nb", "train.de": "b"},
            "train.en: 2 lines, train.de has 1; each should translate one of the other",
        ),
        ({"train.en": "a\nb", "train.de": "b\n\0"}, "train.de: line 2: it holds NUL, as text does not"),
        ({"train.en": "a", "train.de": b"\xff"}, "train.de: not UTF-8 text: byte 0xff at offset 0"),
        ({"train.en": "a", "train.de": ""}, "train.de: the file is empty"),
        ({"train.en": "\n\n", "train.de": "\n\n"}, "too few pairs: 0 to be had, and none of them for train"),
        ({"train.en": "a", "train.de": "b"}, "too few pairs: 1 to be had, and none of them for validation"),
        (
            {"nl.mo": mo({})},
            "catalogues of neither en nor de; there should be those of one, with ids in the other",
        ),
        ({"de.mo": b"?"}, "de.mo: not a message catalogue: a .mo file starts with the bytes de 12 04 95"),
        ({"de.mo": mo({"Open": "Auf"})}, "too few pairs: 1 to be had, and none of them for train"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path: Path, files: dict[str, str | bytes], fault: str) -> None:
    assert refusal(write(tmp_path, files)) == fault


def test_paths_that_are_no_folders(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == "no such folder"
    assert refusal(tmp_path / ("a" * 300)) == "cannot be read: File name too long"
    assert refusal(write(tmp_path, {"a": "b"}) / "a") == "a file, not a folder"


def test_ids_are_in_one_of_the_languages(tmp_path: Path) -> None:
    """English wins over a catalogue of English; two other languages cannot be told from each other."""
    folder = write(
        tmp_path, {"de.mo": catalogue(NUMBERS), "en.mo": mo({"text 1": "Text one"}), "fr.mo": mo({})}
    )
    assert len(load(folder).train) + len(load(folder).validation) + len(load(folder).test) == COUNT
    expected = "catalogues of de and fr; there should be those of one, with ids in the other"
    assert refusal(folder, ("de", "fr")) == expected
    assert load(folder, ("it", "de")).train == load(folder).train


def test_catalogues_lie_where_programs_have_them(tmp_path: Path) -> None:
    files = {f"de_DE/LC_MESSAGES/{name}.mo": catalogue(NUMBERS[at::2]) for at, name in enumerate("ab")}
    assert sorted(load(write(tmp_path / "a", files)).train) == sorted(load_of(tmp_path / "b", NUMBERS).train)


def test_files_are_found_by_part_and_language(tmp_path: Path) -> None:
    names = (
        "training-v1.de-en.de",
        "training-v1.de-en.en",
        "valid.de.txt",
        "valid_en.txt.gz",
        "notes.de",
        "train.fr",
    )
    folder = write(tmp_path, dict.fromkeys(names, "x"))
    assert {name: [path.name for path in files] for name, files in members(folder, ("de", "en")).items()} == {
        "train": ["training-v1.de-en.de", "training-v1.de-en.en"],
        "validation": ["valid.de.txt", "valid_en.txt.gz"],
    }


def test_lines_are_paired_in_order(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a": "one\n\nthree\n\n\n", "b": "eins\nzwei\ndrei\nvier\n\n"})
    assert aligned([folder / "a", folder / "b"]) == [Pair("one", "eins"), Pair("three", "drei")]


def test_carriage_returns_end_lines_where_nothing_else_does(tmp_path: Path) -> None:
    """As on old Macintoshes; beside line feeds they are white space, so that a stray one moves no line."""
    files = {"mac": "one\rtwo\r\rfour\r", "unix": "eins\nzw\rei\n\nvier", "windows": "1\r\n2\r\n3\r\n4\r\n"}
    folder = write(tmp_path, files)
    mac_unix = [Pair("one", "eins"), Pair("two", "zw ei"), Pair("four", "vier")]
    assert aligned([folder / "mac", folder / "unix"]) == mac_unix
    assert aligned([folder / "mac", folder / "windows"]) == [
        Pair("one", "1"),
        Pair("two", "2"),
        Pair("four", "4"),
    ]


def test_a_test_that_is_drawn_shares_no_text_with_a_file_for_validation(tmp_path: Path) -> None:
    for language in ("en", "de"):
        lines = "".join(f"{language} {chr(97 + i % 26)}{chr(97 + i // 26)}\n" for i in range(200))
        (tmp_path / f"train.{language}").write_text(lines)
        (tmp_path / f"val.{language}").write_text("".join(lines.splitlines(keepends=True)[:100]))
    loaded = Parallel.load(tmp_path, languages=("en", "de"), validation=0.1, test=0.3)
    assert loaded.leaked == 0
    assert loaded.test
    assert not {pair.source for pair in loaded.test} & {pair.source for pair in loaded.validation}
