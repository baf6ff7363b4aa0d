"""Message catalogues: read as the standard library reads them, and nothing in a damaged one does harm."""

import gettext
import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest

from jaxgru.data import DataError, catalogues
from jaxgru.data.catalogues import Message, members, read, usable
from tests.data.mo import mo

MESSAGES = {
    "Open": "Öffnen",
    "Verb\4Open": "Auf",
    "%(n)s file\0%(n)s files": "%(n)s Datei\0%(n)s Dateien",
    "Two\nlines": "Zwei\nZeilen",
}


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    """What is said of a file, which stands in front."""
    with pytest.raises(DataError) as error:
        read(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("order", ["<", ">"])
def test_messages_are_read_in_their_order(tmp_path: Path, order: str) -> None:
    assert read(write(tmp_path / "de.mo", mo(MESSAGES, order=order, version=1))) == [
        Message("", ("%(n)s file", "%(n)s files"), ("%(n)s Datei", "%(n)s Dateien")),
        Message("", ("Open",), ("Öffnen",)),
        Message("", ("Two\nlines",), ("Zwei\nZeilen",)),
        Message("Verb", ("Open",), ("Auf",)),
    ]


def test_the_standard_library_finds_the_same(tmp_path: Path) -> None:
    raw = mo(MESSAGES)
    reader = gettext.GNUTranslations(io.BytesIO(raw))
    for context, ids, forms in read(write(tmp_path / "de.mo", raw)):
        if len(ids) == 2:
            assert [reader.ngettext(*ids, number) for number in (1, 2)] == list(forms)
        else:
            assert (reader.pgettext(context, *ids) if context else reader.gettext(*ids)) == forms[0]


def test_an_empty_catalogue_has_no_messages(tmp_path: Path) -> None:
    assert read(write(tmp_path / "de.mo", mo({}))) == []
    assert read(write(tmp_path / "fr.mo", struct.pack("<5I", 0x950412DE, 0, 0, 20, 20))) == []


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "not a message catalogue: a .mo file starts with the bytes de 12 04 95"),
        (b"msgid", "not a message catalogue: a .mo file starts with the bytes de 12 04 95"),
        ("msgid".encode("utf-16"), "not a message catalogue: a .mo file starts with the bytes de 12 04 95"),
        (mo(MESSAGES)[:19], "a damaged message catalogue: it ends within its header, after 19 bytes"),
        (mo(MESSAGES)[:50], "a damaged message catalogue: its table of 5 strings ends behind the file"),
        (mo(MESSAGES)[:-1], "a damaged message catalogue: string 4 of 5 ends behind the file"),
        (mo(MESSAGES, version=2), "a damaged message catalogue: its version is 2; 0 and 1 are known"),
        (
            struct.pack("<5I", 0x950412DE, 0, 2**32 - 1, 20, 20),
            "a damaged message catalogue: its table of 4294967295 strings ends behind the file",
        ),
        (
            struct.pack("<5I", 0x950412DE, 0, 9, 20, 20) + struct.pack("<2I", 90, 1) * 9,
            "a damaged message catalogue: its strings overlap",
        ),
        (
            mo(MESSAGES).replace("Ö".encode(), b"\xd6_"),
            r"a damaged message catalogue: not UTF-8: b'\xd6_ffnen'",
        ),
        (
            mo(MESSAGES, header="Content-Type: text/plain; charset=ISO-8859-1\n"),
            (
                "its charset is ISO-8859-1, not UTF-8; make it anew: "
                "msgunfmt FILE.mo | msgconv -t UTF-8 | msgfmt -o FILE.mo -"
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, raw: bytes, fault: str) -> None:
    assert refusal(write(tmp_path / "de.mo", raw)) == fault


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "not a regular file"
    assert refusal(tmp_path / "no.mo") == "no such file"
    (tmp_path / "loop.mo").symlink_to(tmp_path / "loop.mo")
    assert refusal(tmp_path / "loop.mo").startswith("cannot be read: ")
    with pytest.raises(DataError, match=r"^'a\\x00b': no file has such a name$"):
        read(Path("a\0b"))


def test_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogues, "MAX_BYTES", 1 << 20)
    assert refusal(write(tmp_path / "de.mo", bytes(1 + (1 << 20)))) == "larger than 1 MiB"


@pytest.mark.parametrize(
    "rule", ["(" * 900, "9" * 999, "!" * 990 + "n", "__import__('os').abort()", "n/0", ""]
)
def test_the_rule_of_the_plural_is_not_looked_at(tmp_path: Path, rule: str) -> None:
    raw = mo(MESSAGES, header=f"Plural-Forms: nplurals=2; plural={rule};\n")
    assert len(read(write(tmp_path / "de.mo", raw))) == len(MESSAGES)


def test_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    """Cut off at every tenth byte, or with one to eight bytes changed at random."""
    raw, draw = mo(MESSAGES), np.random.default_rng(0)
    damaged = [raw[:end] for end in range(0, len(raw), 10)]
    for _ in range(300):
        wrong = bytearray(raw)
        for place in draw.integers(len(raw), size=draw.integers(1, 9)):
            wrong[place] = draw.integers(256)
        damaged.append(bytes(wrong))
    path, said = tmp_path / "de.mo", []
    for content in damaged:
        try:
            assert len(usable(write(path, content))) < 9
        except DataError as error:
            said.append(str(error))
    assert all(fault.startswith(f"{path}: ") and fault.isprintable() for fault in said)
    assert len(raw) // 10 < len(said) < len(damaged)


def test_messages_to_learn_from(tmp_path: Path) -> None:
    pairs = {
        "Open": "Öffnen",
        "  Save\tit\n": "Es  sichern \n",
        "%s by {x}": "{x} hat %s",
        "A &amp; <b>b</b>": "A und b",
    }
    unfit = {
        "Verb\4Open": "Auf",  # a context
        "Two\nlines": "Zwei Zeilen",
        "Two": "Zwei\nZeilen",
        "OK": "OK",
        "%(name)s: %s": "%s – %(name)s",  # letters in placeholders alone
        "<b>%s</b>": "<i>%s</i>",
        "…": "usw.",
        "2": "zwei",
        "Empty": "",
        "%s files": "Dateien",
        "{a} files": "{b} Dateien",
    }
    assert sorted(usable(write(tmp_path / "de.mo", mo(pairs | unfit)))) == [
        ("%s by {x}", "{x} hat %s"),
        ("A &amp; <b>b</b>", "A und b"),
        ("Open", "Öffnen"),
        ("Save it", "Es sichern"),
    ]


@pytest.mark.parametrize(
    ("forms", "pairs"),
    [
        ("Datei\0Dateien", [("file", "Datei"), ("files", "Dateien")]),
        ("plik\0pliki\0plików", [("file", "plik"), ("files", "plików")]),
        ("ファイル", [("files", "ファイル")]),
    ],
)
def test_both_numbers_are_messages(tmp_path: Path, forms: str, pairs: list[tuple[str, str]]) -> None:
    assert usable(write(tmp_path / "de.mo", mo({"file\0files": forms}))) == pairs


def test_catalogues_are_found_by_language(tmp_path: Path) -> None:
    names = (
        "de.mo",
        "fr/LC_MESSAGES/b.mo",
        "fr/LC_MESSAGES/a.mo",
        "pt_BR.mo",
        "pt.mo",
        "es_ES/LC_MESSAGES/a.mo",
        "x/a.mo",
    )
    paths = {name: write(tmp_path / name, mo({})) for name in names}
    assert members(tmp_path, "de") == [paths["de.mo"]]
    assert members(tmp_path, "fr") == [paths["fr/LC_MESSAGES/a.mo"], paths["fr/LC_MESSAGES/b.mo"]]
    assert members(tmp_path, "pt") == [paths["pt.mo"]]
    assert members(tmp_path, "es") == [paths["es_ES/LC_MESSAGES/a.mo"]]
    assert members(tmp_path, "x") == members(tmp_path, "d") == members(tmp_path, "../x") == []


def test_countries_are_told_apart(tmp_path: Path) -> None:
    for name in ("zh_CN.mo", "zh_TW.mo"):
        write(tmp_path / name, mo({}))
    assert members(tmp_path, "zh_TW") == [tmp_path / "zh_TW.mo"]
    with pytest.raises(DataError) as error:
        members(tmp_path, "zh")
    assert str(error.value) == f"{tmp_path}: zh could mean zh_CN and zh_TW; name one of them"


def test_reading_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read(write(tmp_path / "de.mo", mo(MESSAGES, header="Plural-Forms: nplurals=2; plural=1(n);\n")))
    assert not caught
