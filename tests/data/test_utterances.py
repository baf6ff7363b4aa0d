"""Utterances: files are read and split by rule, nothing stands in two parts, and each fault names its file."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgru.data import DataError, utterances
from jaxgru.data.channels import Scaler
from jaxgru.data.filenames import Pattern, Rule, Split
from jaxgru.data.mel import LogMel
from jaxgru.data.utterances import Utterances, load
from tests.data.wav import wav

HEADER = "@classLabel true a b\n@data\n"
FEW = "no utterance is left for validation: raise data.validation, or have more of each class"
FSDD = "{label}_{speaker}_{take}"


def features(rate: int) -> LogMel:
    return LogMel(rate, bands=4, window=0.025, hop=0.01, lowest=0, highest=0, depth=60)


def read(path: Path, *, names: str = FSDD, longest: int = 100, **split: Any) -> Utterances:
    return load(
        path,
        str(path),
        Split(**({"validation": 0.2, "test": 0.2} | split)),
        Pattern(names),
        longest,
        features,
    )


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        read(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


def write_series(path: Path, numbers: range, labels: str = "ab", header: str = HEADER) -> None:
    lines = [f"{number},{number}.5:{label == 'a':d},2:{label}\n" for number in numbers for label in labels]
    path.write_text(header + "".join(lines))


def write_sound(path: Path, number: int, rate: int = 8000) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    values = np.random.default_rng(number).integers(-9000, 9000, 400)
    path.write_bytes(wav(struct.pack("<400h", *values), rate=rate))


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    write_series(tmp_path / "Tiny_TRAIN.ts", range(10))
    write_series(tmp_path / "Tiny_TEST.ts", range(20, 24))
    (tmp_path / "notes.txt").write_text("no")
    return tmp_path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Three speakers say two words six times."""
    for number in range(36):
        label, speaker, take = "go" if number % 2 else "stop", "abc"[number // 12], number % 12 // 2
        write_sound(tmp_path / f"{label}_{speaker}_{take}.wav", number)
    return tmp_path


class TestSeries:
    def test_a_pair_keeps_its_test_and_validation_is_drawn(self, pair: Path) -> None:
        for path in (pair, pair / "Tiny_TRAIN.ts", pair / "Tiny_TEST.ts"):
            data = read(path)
            assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 8]
            assert data.classes == ["a", "b"]
            assert (data.rate, data.repeated, data.leaked) == (0, 0, 0)
            places = [f"case {number} of Tiny_TRAIN.ts" for number in (8, 9, 18, 19)]
            assert [each.name for each in data.validation] == places
            assert [each.frames[0, 0] for each in data.test[::2]] == [20, 21, 22, 23]

    def test_a_single_file_is_split_class_by_class(self, pair: Path) -> None:
        data = read((pair / "Tiny_TRAIN.ts").rename(pair / "all.ts"))
        assert [len(part) for part in (data.train, data.validation, data.test)] == [14, 2, 4]
        assert [each.label for each in data.test] == ["a", "b"] * 2

    def test_what_stands_twice_counts_once(self, pair: Path) -> None:
        for name, number, label in (("TRAIN", 3, "b"), ("TEST", 9, "a"), ("TEST", 20, "a")):
            with (pair / f"Tiny_{name}.ts").open("a") as file:
                file.write(f"{number},{number}.5:{label == 'a':d},2:{label}\n")
        data = read(pair)
        assert (data.repeated, data.leaked) == (1, 2)
        parts = [each.frames.tobytes() for part in (data.train, data.validation, data.test) for each in part]
        assert len({*parts}) == len(parts) == 28

    def test_utterances_are_cut(self, pair: Path) -> None:
        assert {each.frames.shape for each in read(pair, longest=1).train} == {(1, 2)}

    def test_numbers_are_sorted_by_their_size(self, tmp_path: Path) -> None:
        path = tmp_path / "a.ts"
        path.write_text(
            "@classLabel true 10 9 1\n@data\n"
            + "".join(f"{i}:{label}\n" for i in range(30) for label in [[10, 9, 1][i % 3]])
        )
        assert read(path).classes == ["1", "9", "10"]

    def test_files_that_do_not_go_together_are_refused(self, pair: Path) -> None:
        train, test = pair / "Tiny_TRAIN.ts", pair / "Tiny_TEST.ts"
        test.write_text(HEADER + "1,2:a\n")
        assert refusal(pair) == f"{test}: 1 dimensions, and Tiny_TRAIN.ts has 2"
        test.write_text("@data\n1,2:1,2\n")
        assert (
            refusal(pair) == f"{test}: its cases have no labels: @classLabel should be true, with their names"
        )
        test.write_text("@classLabel true c\n@data\n1,2:1,2:c\n")
        assert refusal(pair) == "test has the class 'c', and no utterance to train on is of it"
        test.unlink()
        assert refusal(pair) == f"{test}: no such file"
        write_series(pair / "Other_TRAIN.ts", range(3))
        assert refusal(pair) == "Other_TRAIN.ts and Tiny_TRAIN.ts could both be for train"
        for path in (train, pair / "Other_TRAIN.ts"):
            path.unlink()
        (pair / "a.ts").write_text("")
        assert refusal(pair) == "no file for train: its name should end in _TRAIN.ts"
        assert refusal(pair / "b.ts") == "no such file"

    def test_rules_about_names_are_for_sound(self, pair: Path) -> None:
        mend = "asks for what the names of .wav files say"
        assert refusal(pair, test_rule=Rule.of("take=1")).endswith(f"data.test_where {mend}")
        assert refusal(pair, apart="speaker").endswith(f"data.apart {mend}")

    @pytest.mark.parametrize(
        ("numbers", "labels", "fault"),
        [
            (range(20), "a", "one class only, 'a': there is nothing to tell apart"),
            (range(5), "ab", FEW),
            (range(1), "ab", FEW),
        ],
    )
    def test_too_little_is_refused(self, tmp_path: Path, numbers: range, labels: str, fault: str) -> None:
        write_series(tmp_path / "few.ts", numbers, labels)
        assert refusal(tmp_path / "few.ts") == fault

    def test_classes_are_bounded(self, pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(utterances, "MOST", 1)
        assert refusal(pair) == "2 classes; there can be 1"


class TestSounds:
    def test_a_folder_is_read_as_its_names_say(self, sounds: Path) -> None:
        data = read(sounds, test_rule=Rule.of("take=0-1"), validation_rule=Rule.of("take=5"))
        assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 6, 12]
        assert (data.rate, data.classes) == (8000, ["go", "stop"])
        assert {each.name[-5] for each in data.test} == {"0", "1"}
        assert data.train[0].name == "go_a_2.wav"
        assert {each.frames.shape for each in data.train} == {(3, 4)}

    def test_folders_may_be_labels(self, tmp_path: Path) -> None:
        for number in range(20):
            write_sound(tmp_path / "ab"[number % 2] / f"{number:02d}.WAV", number)
        data = read(tmp_path, names="{label}/{take}")
        assert [len(part) for part in (data.train, data.validation, data.test)] == [14, 2, 4]
        assert data.classes == ["a", "b"]

    def test_speakers_may_be_held_out(self, sounds: Path) -> None:
        data = read(sounds, test=0.34, validation=0.5, apart="speaker")
        speakers = [
            {each.name.split("_")[1] for each in part} for part in (data.train, data.validation, data.test)
        ]
        assert sorted(map(sorted, speakers)) == [["a"], ["b"], ["c"]]

    def test_the_digest_tells_every_label_and_split(self, sounds: Path) -> None:
        digests = {read(sounds).sha256, read(sounds, test=0.4).sha256, read(sounds, longest=2).sha256}
        (sounds / "go_a_0.wav").rename(sounds / "stop_a_9.wav")
        digests.add(read(sounds).sha256)
        assert len(digests) == 4

    def test_wrong_files_are_refused_by_name(self, sounds: Path) -> None:
        odd = sounds / "go_a_7.wav"
        write_sound(odd, 50, rate=16_000)
        mend = "resample them to one rate"
        assert refusal(sounds) == f"{odd}: 16000 samples a second, and {sounds}/go_a_0.wav has 8000; {mend}"
        odd.write_bytes(b"RIFF")
        assert refusal(sounds) == f"{odd}: not a .wav file: it does not begin with RIFF and WAVE"
        odd = odd.rename(sounds / "go-a.wav")
        mend = "say in data.names how files are named, such as data.names={label}-{take}"
        assert refusal(sounds) == f"{odd}: its name is not {FSDD} below {sounds}; {mend}"
        assert refusal(odd) == "one .wav file; there should be a folder of them"
        odd.unlink()
        mend = mend.replace("-", "_")
        first = sounds / "go_a_0.wav"
        assert (
            refusal(sounds, names="{label}/{take}")
            == f"{first}: its name is not {{label}}/{{take}} below {sounds}; {mend}"
        )

    def test_a_folder_that_cannot_be_read_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            write_sound(tmp_path / "ab"[number % 2] / f"{number:02d}.wav", number)
        closed, listed = tmp_path / "b", Path.iterdir

        def iterdir(path: Path) -> Iterator[Path]:
            if path == closed:
                raise PermissionError(13, "Permission denied")
            return listed(path)

        monkeypatch.setattr(Path, "iterdir", iterdir)
        assert refusal(tmp_path, names="{label}/{take}") == f"{closed}: cannot be read: Permission denied"

    def test_links_to_folders_are_not_followed(self, tmp_path: Path) -> None:
        for number in range(20):
            write_sound(tmp_path / "ab"[number % 2] / f"{number:02d}.wav", number)
        (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
        data = read(tmp_path, names="{label}/{take}")
        assert len(data.train) + len(data.validation) + len(data.test) == 20

    def test_rules_about_fields_that_are_not_there_are_refused(self, sounds: Path) -> None:
        mend = "and data.names has label, speaker, take"
        assert refusal(sounds, apart="person") == f"data.apart asks for the field person, {mend}"
        assert refusal(sounds, test_rule=Rule.of("x=1")) == f"data.test_where asks for the field x, {mend}"
        found = "no file has 'take=77'; take is one of 0, 1, 2, 3, 4, …"
        assert refusal(sounds, test_rule=Rule.of("take=77")) == f"data.test_where: {found}"
        where = {"test_rule": Rule.of("take=0"), "apart": "speaker", "validation": 0.5}
        assert refusal(sounds, **where) == "speaker a is in train and in test, and should be in one"

    def test_a_folder_without_sound_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert refusal(tmp_path) == "neither a pair of .ts files, *_TRAIN.ts and *_TEST.ts, nor .wav files"
        monkeypatch.setattr(utterances, "MOST_FILES", 1)
        for number in range(2):
            write_sound(tmp_path / f"a_b_{number}.wav", number)
        assert refusal(tmp_path) == "more than 1 .wav files"


class TestScaler:
    def test_frames_come_to_mean_0_and_deviation_1(self) -> None:
        rng = np.random.default_rng(0)
        frames = [rng.normal([3, -1e6], [0.01, 50], (length, 2)) for length in (5, 90, 1)]
        scaled = np.concatenate([*map(Scaler.fit(frames), frames)])
        np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
        np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-4)

    def test_a_channel_that_never_changes_is_0(self) -> None:
        frames = np.full((7, 1), 0.1)
        scaler = Scaler.fit([frames])
        assert scaler.scales == (1.0,)
        np.testing.assert_allclose(scaler(frames), 0, atol=1e-12)

    def test_a_unit_may_be_small(self) -> None:
        frames = np.random.default_rng(0).normal(size=(50, 2)) * [1e-13, 1e-30]
        scaled = Scaler.fit([frames.astype(np.float32)])(frames)
        np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-4)

    def test_another_number_of_channels_is_refused(self) -> None:
        scaler = Scaler.fit([np.random.default_rng(0).normal(size=(9, 2))])
        with pytest.raises(ValueError, match=r"^frames of 1 channels, and the scaler has 2$"):
            scaler(np.zeros((3, 1), np.float32))

    def test_it_comes_back_from_json_to_the_bit(self) -> None:
        scaler = Scaler.fit([np.random.default_rng(0).normal(size=(9, 3))])
        assert Scaler.from_json(scaler.to_json()) == scaler

    @pytest.mark.parametrize(
        "damage",
        [
            None,
            {},
            {"means": [1.0]},
            {"means": [1.0], "scales": []},
            {"means": [1.0], "scales": [0.0]},
            {"means": [1.0], "scales": ["1"]},
            {"means": [True], "scales": [1.0]},
            {"means": [float("nan")], "scales": [1.0]},
            {"means": [10**400], "scales": [1.0]},
            {"means": [0.0], "scales": [float("inf")]},
            {"means": 1.0, "scales": [1.0]},
        ],
    )
    def test_what_is_no_scaler_is_refused(self, damage: Any) -> None:
        with pytest.raises(ValueError, match=r"^the scaler should be means and scales, each a list"):
            Scaler.from_json(damage)
