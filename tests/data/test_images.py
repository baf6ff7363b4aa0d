"""Images with classes: read as they stand, split by rule, and nothing of the test among what is learnt from."""

import gzip
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jaxgru.data import DataError, images
from jaxgru.data.images import Images, Part, load
from tests.data.idxfiles import write

RNG = np.random.default_rng(0)


def part(count: int, height: int = 3, width: int = 2, classes: int = 2) -> Part:
    """Different images, whose classes take turns."""
    pixels = RNG.integers(0, 256, (count, height, width)).astype(np.uint8)
    return Part(pixels, (np.arange(count) % classes).astype(np.uint8))


TRAIN, TEST = part(20), part(6)
LONG = "0" * 5000 + "1"
ONCE = "no image is left for validation: raise data.validation, or have more of each class"


def csv(rows: Any, head: str = "") -> str:
    return head + "".join(",".join(map(str, row)) + "\n" for row in rows)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        load(path, **({"validation": 0.2, "test": 0.25} | options))
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ").removeprefix(f"{path}/")


class TestFolders:
    @pytest.mark.parametrize(
        "form",
        [
            "{}-{}-idx{}-ubyte",
            "{}-{}.idx{}-ubyte",
            "{}-{}-idx{}-ubyte.gz",
            "emnist-letters-{}-{}-idx{}-ubyte.gz",
        ],
    )
    @pytest.mark.parametrize("test", ["t10k", "test"])
    def test_the_names_that_are_in_use(self, tmp_path: Path, form: str, test: str) -> None:
        data = load(write(tmp_path, {"train": TRAIN, test: TEST}, form), validation=0.2, test=0.5)
        assert [len(each.labels) for each in (data.train, data.validation, data.test)] == [16, 4, 6]
        np.testing.assert_array_equal(data.test.pixels, TEST.pixels)
        np.testing.assert_array_equal(data.test.labels, TEST.labels)
        assert (data.source, data.classes, data.repeated, data.leaked) == (str(tmp_path), ["0", "1"], 0, 0)

    def test_a_folder_that_lacks_a_file_or_has_one_twice(self, tmp_path: Path) -> None:
        (tmp_path / "readme.txt").touch()
        wanted = "it should be {0} or {0}.gz"
        assert refusal(tmp_path) == (
            "no file of the images of train: " + wanted.format("train-images-idx3-ubyte")
        )
        write(tmp_path, {"train": TRAIN})
        assert refusal(tmp_path) == "no file of the images of t10k: " + wanted.format(
            "t10k-images-idx3-ubyte"
        )
        write(tmp_path, {"t10k": TEST})
        (tmp_path / "t10k-labels-idx1-ubyte").rename(tmp_path / "hidden")
        assert refusal(tmp_path) == "no file of the labels of t10k: " + wanted.format(
            "t10k-labels-idx1-ubyte"
        )
        (tmp_path / "train-labels.idx1-ubyte").touch()
        two = "train-labels-idx1-ubyte and train-labels.idx1-ubyte"
        assert refusal(tmp_path) == f"{two} could both be for the labels of train"

    def test_parts_that_do_not_fit(self, tmp_path: Path) -> None:
        write(tmp_path, {"train": (TRAIN.pixels, TRAIN.labels[:-1]), "t10k": TEST})
        assert (
            refusal(tmp_path)
            == "train-labels-idx1-ubyte: 19 labels, and train-images-idx3-ubyte has 20 images"
        )
        write(tmp_path, {"train": TRAIN, "t10k": part(6, 2, 3)})
        fault = "images of 3 × 2 pixels, and those of train-images-idx3-ubyte have 2 × 3"
        assert refusal(tmp_path) == f"t10k-images-idx3-ubyte: {fault}"
        write(tmp_path, {"train": TRAIN, "t10k": (TEST.pixels, TEST.labels + 9)})
        assert refusal(tmp_path) == "test has the class 9, and no image to train on is of it"

    def test_an_idx_file_for_its_folder(self, tmp_path: Path) -> None:
        path = write(tmp_path, {"train": TRAIN}) / "train-images-idx3-ubyte"
        assert refusal(path) == "one of four idx files; give the folder they stand in"

    def test_what_leaks_into_training_is_left_out(self, tmp_path: Path) -> None:
        """Of training images, those that stand in the test, and those that had come before; the test stays whole."""
        train = Part(TRAIN.pixels.copy(), TRAIN.labels)
        train.pixels[[3, 7]] = TEST.pixels[0]
        train.pixels[9] = train.pixels[2]
        test = Part(np.concatenate([TEST.pixels, TEST.pixels[:1]]), np.append(TEST.labels, TEST.labels[:1]))
        data = load(write(tmp_path, {"train": train, "t10k": test}), validation=0.2, test=0.5)
        assert (data.repeated, data.leaked) == (2, 1)
        kept = [image.tobytes() for each in (data.train, data.validation) for image in each.pixels]
        assert sorted(kept) == sorted(
            train.pixels[row].tobytes() for row in range(20) if row not in (3, 7, 9)
        )
        np.testing.assert_array_equal(data.test.pixels, test.pixels)


class TestTables:
    @pytest.mark.parametrize(
        "how", ["last", "first", "named", "named in the middle", "numbered", "gzip", "tabs"]
    )
    def test_a_table_is_read_however_it_is_laid_out(self, tmp_path: Path, how: str) -> None:
        """The class first or last or by its name; a header or none; plain or gzip."""
        path, (pixels, labels) = tmp_path / "t.csv", part(30, 2, 2)
        flat, options = pixels.reshape(30, -1).tolist(), {}
        rows = [[*row, label] for row, label in zip(flat, labels, strict=True)]
        text = csv(rows, "p1,p2,p3,p4,Digit\n" if how == "gzip" else "")
        if how != "last" and how not in ("gzip", "tabs"):
            rows = [[label, *row] for row, label in zip(flat, labels, strict=True)]
            heads = {"named": "label,p1,p2,p3,p4\r\n", "numbered": '"label",0,1,2,3\n'}
            text, options = csv(rows, heads.get(how, "")), {"label": "first"} if how == "first" else {}
        if how == "named in the middle":
            rows = [[*row[:2], label, *row[2:]] for row, label in zip(flat, labels, strict=True)]
            text = csv(rows, "a,b,class,c,d\n")
        text = text.replace(",", "\t") if how == "tabs" else text
        path.write_bytes(gzip.compress(text.encode()) if how == "gzip" else text.encode())
        found = images.table(path, **options)
        np.testing.assert_array_equal(found.pixels, pixels)
        np.testing.assert_array_equal(found.labels, labels)

    def test_images_that_are_not_square(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        pixels = part(4, 3, 5)
        path.write_text(csv([*each.ravel(), label] for each, label in zip(*pixels, strict=True)))
        np.testing.assert_array_equal(images.table(path, width=5).pixels, pixels.pixels)
        head = "16 cells in a row: a class, and 15 pixels, "
        assert refusal(path) == head + "no square: say in data.width how many are in a row"
        assert refusal(path, width=4) == head + "no whole number of rows of 4"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "the file is empty"),
            ("\n \n", "no row with an image"),
            ("label,a\n", "no row with an image"),
            ("1,2,3,4,0\n1,2,3,0\n", "line 2: 4 cells, and 5 before it"),
            ("label,a,b,c\n\n1,2,3\n", "line 3: 3 cells, and 4 before it"),
            ("1,2,3,4,0\n1,2,3,256,0\n", "line 2, cell 4: '256' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,-2,3,4,0\n", "line 2, cell 2: '-2' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,,3,4,0\n", "line 2, cell 2: '' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,0.5,3,4,0\n", "line 2, cell 2: '0.5' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,1_0,3,4,0\n", "line 2, cell 2: '1_0' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,\u0663,3,4,0\n", "line 2, cell 2: '\u0663' is no whole number from 0 to 255"),
            ("1,2,3,4,0\n1,2,3,4,seven\n", "line 2, cell 5: 'seven' is no whole number from 0 to 255"),
            (f"1,2,3,4,0\n1,2,3,4,{LONG}\n", f"line 2, cell 5: '{LONG[:39]}…' is no whole number from 0 to 255"),
            ("x,2,3,4,0\n", "line 1, cell 1: 'x' is no whole number from 0 to 255"),
            ("label,a,b,c,class\n1,2,3,4,0\n", "two columns could have the classes, label and class"),
            ("7\n8\n", "1 cell in a row: a class, and 0 pixels, no square: say in data.width how many are in a row"),
            ("1,2,3,4,0\n" * 30, ONCE),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "t.csv"
        path.write_text(text)
        assert refusal(path) == message

    def test_what_is_no_table(self, tmp_path: Path) -> None:
        (tmp_path / "x.csv").write_bytes(gzip.compress(b"1,2,3,4,0\n")[:-4])
        assert refusal(tmp_path / "x.csv").startswith("a damaged gzip file: ")
        (tmp_path / "x.csv").write_bytes(b"\x89PNG\r\n")
        assert refusal(tmp_path / "x.csv") == "not UTF-8 text: byte 0x89 at offset 0"
        assert refusal(tmp_path / "none.csv") == "no such file"


class TestSplit:
    def test_each_class_gives_its_share_at_random_and_always_the_same(self) -> None:
        whole = part(300, classes=3)
        found = [Images.of("x", whole, 0.2, 0.25) for _ in range(2)]
        assert found[0].sha256 == found[1].sha256
        first = found[0]
        for each, wanted in ((first.test, 20), (first.validation, 20), (first.train, 60)):
            assert np.bincount(each.labels).tolist() == [wanted] * 3
        rows = {image.tobytes(): row for row, image in enumerate(whole.pixels)}
        places = [
            [rows[image.tobytes()] for image in each.pixels]
            for each in (first.train, first.validation, first.test)
        ]
        assert sorted(itertools.chain(*places)) == [*range(300)]
        gaps = np.diff(places[2])
        assert gaps.max() > 2 * gaps.mean()  # drawn, and not every fifth

    def test_an_image_that_stands_twice_in_a_table_is_one(self) -> None:
        whole = part(40)
        twice = Part(np.concatenate([whole.pixels, whole.pixels]), np.append(whole.labels, 1 - whole.labels))
        data, alone = Images.of("x", twice, 0.25, 0.2), Images.of("x", whole, 0.25, 0.2)
        assert (data.repeated, data.leaked) == (40, 0)
        assert data.sha256 == alone.sha256

    def test_the_digest_tells_pixels_labels_and_parts_apart(self) -> None:
        whole = part(40)
        data = Images.of("x", whole, 0.25, 0.2)
        moved = Images("x", data.train, data.test, data.validation)
        relabelled = Images("x", data.train, data.validation, Part(data.test.pixels, 1 - data.test.labels))
        assert len({data.sha256, moved.sha256, relabelled.sha256}) == 3

    @pytest.mark.parametrize(("most", "highest"), [(1, 1), (2, 16), (16, 16), (17, 255), (255, 255)])
    def test_full_strength_is_what_training_says(self, most: int, highest: int) -> None:
        data = Images.of("x", part(40), 0.25, 0.2)
        train = Part((data.train.pixels > 100).astype(np.uint8) * np.uint8(most), data.train.labels)
        assert Images("x", train, data.validation, data.test).highest == highest

    @pytest.mark.parametrize(
        ("labels", "shares", "message"),
        [
            ([4] * 20, (0.2, 0.2), "one class only, 4: there is nothing to tell apart"),
            ([1, 2] * 10, (0.01, 0.2), "no image is left for test: raise data.test, or have more of each class"),
            ([1, 2] * 10, (0.2, 0.01), ONCE),
            ([*range(20)], (0.6, 0.2), "no image is left for train"),
            ([*range(5)] * 4, (0.25, 0.67), "5 classes and 5 images to train on: a class needs several"),
        ],
    )  # fmt: skip
    def test_parts_of_which_nothing_can_be_learnt(
        self, labels: list[int], shares: tuple[float, float], message: str
    ) -> None:
        test, validation = shares
        with pytest.raises(DataError) as error:
            Images.of("x", Part(TRAIN.pixels, np.array(labels, np.uint8)), test, validation)
        assert str(error.value) == f"x: {message}"
