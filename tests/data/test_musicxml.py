"""Scores: notes where and as long as they sound, or a refusal in one line."""

import zipfile
from fractions import Fraction
from pathlib import Path

import pytest

from jaxgru.data import DataError, musicxml
from jaxgru.data.rolls import Note
from tests.data.scores import CONTAINER, mxl, note, pack, score

BOMB = '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
CHANGE = "<attributes><divisions>{}</divisions></attributes>"
OUTSIDE = '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;</score-partwise>'


def parts(tmp_path: Path, text: str) -> list[list[tuple[int, float, float]]]:
    path = tmp_path / "song.musicxml"
    path.write_text(text, encoding="utf-8")
    return [[(n.pitch, float(n.start), float(n.end)) for n in part] for part in musicxml.read(path)]


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as error:
        musicxml.read(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value).removeprefix(f"{path}: ")


def test_notes_follow_each_other_and_rests_take_time(tmp_path: Path) -> None:
    assert parts(tmp_path, score(note("C4", 2) + note("", 1) + note("F#3", 3) + note("Bb0", 1))) == [
        [(60, 0, 1), (54, 1.5, 3), (22, 3, 3.5)]
    ]


def test_a_chord_begins_with_the_note_before(tmp_path: Path) -> None:
    chord = note("C4", 2) + note("E4", 2, "<chord/>") + note("G4", 2, "<chord/>") + note("C5", 2)
    assert parts(tmp_path, score(chord)) == [[(60, 0, 1), (64, 0, 1), (67, 0, 1), (72, 1, 2)]]


def test_backup_and_forward_move_the_place(tmp_path: Path) -> None:
    voices = (
        note("C5", 4)
        + "<backup><duration>4</duration></backup><forward><duration>1</duration></forward>"
        + note("E4", 1)
    )
    assert parts(tmp_path, score(voices)) == [[(72, 0, 2), (64, 0.5, 1)]]


def test_a_measure_is_as_long_as_its_longest_voice(tmp_path: Path) -> None:
    measures = (
        f'<measure number="1">{note("C5", 8)}<backup><duration>8</duration></backup>{note("C3", 2)}</measure>'
        f'<measure number="2">{note("D5", 2)}</measure>'
    )
    assert parts(tmp_path, score(measures)) == [[(72, 0, 4), (48, 0, 1), (74, 4, 5)]]


def test_divisions_may_change(tmp_path: Path) -> None:
    content = score(note("C4", 2) + CHANGE.format(10080) + note("D4", 3360) + note("E4", 3360))
    found = musicxml.read(mxl(tmp_path / "a.mxl", content))
    third = Fraction(1, 3)
    assert found == [
        [
            Note(60, Fraction(0), Fraction(1)),
            Note(62, Fraction(1), 1 + third),
            Note(64, 1 + third, 1 + 2 * third),
        ]
    ]


def test_grace_notes_take_no_time_and_ties_are_two_notes(tmp_path: Path) -> None:
    grace = "<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>"
    tied = note("C4", 2).replace("</note>", '<tie type="start"/></note>') + grace
    tied += note("C4", 1).replace("</note>", '<tie type="stop"/></note>')
    assert parts(tmp_path, score(tied)) == [[(60, 0, 1), (60, 1, 1.5)]]


def test_what_has_no_pitch_takes_time_only(tmp_path: Path) -> None:
    drum = "<note><unpitched/><duration>2</duration></note>"
    assert parts(tmp_path, score(drum + note("C4", 2))) == [[(60, 1, 2)]]


def test_a_transposing_instrument_sounds_elsewhere(tmp_path: Path) -> None:
    clarinet = "<attributes><transpose><chromatic>-2</chromatic></transpose></attributes>"
    bass = "<attributes><transpose><chromatic>0</chromatic><octave-change>-1</octave-change></transpose></attributes>"
    assert parts(tmp_path, score(clarinet + note("D4", 2), bass + note("C3", 2))) == [
        [(60, 0, 1)],
        [(36, 0, 1)],
    ]


def test_the_container_names_the_score(tmp_path: Path) -> None:
    wrong = score(note("A4", 1))
    path = pack(
        tmp_path / "a.mxl",
        {"a.xml": wrong, "META-INF/container.xml": CONTAINER, "song.xml": score(note("C4", 2))},
    )
    assert musicxml.read(path)[0][0].pitch == 60


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "not XML, or damaged: no element found: line 1, column 0"),
        ("no xml", "not XML, or damaged: syntax error: line 1, column 0"),
        (score(note("C4", 1))[:-30], "not XML, or damaged: unclosed token: line 1, column 324"),
        (BOMB, "it declares the entity 'a', which a score does not need"),
        (OUTSIDE, "it declares the entity 'a', which a score does not need"),
        ("<html/>", "not a score by parts: its root is 'html', and not 'score-partwise'"),
        ("<score-timewise/>", "not a score by parts: its root is 'score-timewise', and not 'score-partwise'"),
        (score(note("H4", 1)), "a note called 'H'"),
        (score(note("C4", 1).replace("<octave>4", "<octave>four")), "octave should be a number, not 'four'"),
        (score(note("C4", 1).replace(">1<", ">1e999999999<")), "duration should be a number, not '1e999999999'"),
        (score(note("C4", 1).replace(">1<", ">-1<")), "part 'P1', measure '1': a duration below 0"),
        (score(note("C4", 1), divisions=0), "part 'P1', measure '1': divisions must be above 0, not 0"),
        (
            score("<backup><duration>1</duration></backup>"),
            "part 'P1', measure '1': a backup that leads before the start",
        ),
        (
            score("".join(CHANGE.format(n) + note("C4", 1) for n in (99999989, 99999971, 99999959))),
            "part 'P1', measure '1': its divisions, with those before, have no common multiple up to 2^64",
        ),
        ("<a>" * 65 + "</a>" * 65, "more than 524288 elements, or more than 64 in each other"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "not XML, or damaged: unknown encoding: no-such"),
    ],
)  # fmt: skip
def test_a_wrong_score_is_named_with_its_fault(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "wrong.xml"
    path.write_text(text, encoding="utf-8")
    assert refusal(path) == fault
    assert refusal(mxl(tmp_path / "wrong.mxl", text)) == fault


def test_a_wrong_pack_is_named_with_its_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wrong.mxl"
    assert refusal(pack(path, {"a.xml": "<a/>"})) == "has no member 'META-INF/container.xml'"
    assert (
        refusal(pack(path, {"META-INF/container.xml": "<a/>"})) == "its META-INF/container.xml names no score"
    )
    assert refusal(pack(path, {"META-INF/container.xml": CONTAINER})) == "has no member 'song.xml'"
    assert refusal(pack(path, {"../a": "x"})) == "member '../a' leads out of the archive"
    path.write_bytes(mxl(path, score(note("C4", 1))).read_bytes()[:200])
    assert refusal(path) == "damaged or cut short: File is not a zip file"
    monkeypatch.setattr(musicxml, "MAX_BYTES", 1 << 20)
    assert refusal(mxl(path, " " * (1 << 21))) == "member 'song.xml' unfolds to more than 1 MiB"
    plain = tmp_path / "large.xml"
    plain.write_bytes(b" " * (1 << 21))
    assert refusal(plain) == "larger than 1 MiB"
    monkeypatch.setattr(musicxml, "ELEMENTS", 3)
    assert refusal(mxl(path, score(note("C4", 1)))) == "more than 3 elements, or more than 64 in each other"
    monkeypatch.setattr(musicxml, "MEMBERS", 1)
    assert refusal(path) == "2 members; a score has 1 at most"
    assert refusal(tmp_path / "none.mxl") == "no such file"


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    """The DOCTYPE of a score names a file on another machine; no score of these tests could be read if it mattered."""
    assert "http://no.such/" in score(note("C4", 1))
    assert zipfile.is_zipfile(mxl(tmp_path / "a.mxl", score(note("C4", 1))))
    assert len(musicxml.read(tmp_path / "a.mxl")) == 1
