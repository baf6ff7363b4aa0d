"""The task digits: an image is read in its order, nothing is fitted to the test, a run is repeated to the bit."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgru.cli import main
from jaxgru.data import DataError
from jaxgru.data.channels import SHAPE
from jaxgru.tasks import digits, find
from jaxgru.tasks.classification import imagepictures, imagereader, pixels
from jaxgru.tasks.classification.imagepictures import Told
from jaxgru.tasks.classification.looking import TABLES
from jaxgru.tasks.digits import Digits
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.data.idxfiles import write
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, drawn, run, summary_of

SMALL = {"hidden_size": 8, "layers": 2, "dropout": 0.0}
TWO = {"means": [0.0, 0.0], "scales": [1.0, 1.0]}
LETTERS = ["100100100111", "111010010010", "111101101111"]
SHAPES = np.array([np.pad(np.array([*map(int, letter)]).reshape(4, 3), 1) for letter in LETTERS])


def images(rng: np.random.Generator, each: int) -> tuple[np.ndarray, np.ndarray]:
    """An L, a T and an O by turns, 6 high and 5 wide, as noisy as leaves them apart."""
    labels = np.tile(np.arange(3), each)
    noisy = 200 * SHAPES[labels] + rng.normal(25, 20, (3 * each, 6, 5))
    return noisy.clip(0, 255).astype(np.uint8), labels


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 30, "save_every": 30, "keep": 9},
        "train": {
            "steps": 60,
            "batch_size": 10,
            "steps_per_call": 3,
            "warmup_steps": 0,
            "learning_rate": 0.02,
        },
        "data": {"path": str(path), "validation": 0.25},
        "model": SMALL,
    }
    return config_of(Digits, default, tables, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 60 images to train on and 30 to test."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("letters")
    return write(path, {"train": images(rng, 20), "t10k": images(rng, 10)})


@pytest.fixture(scope="module")
def task(folder: Path) -> Digits:
    return Digits(make_config(folder))


@pytest.fixture(scope="module")
def params(task: Digits) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return drawn(task.init)


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixty steps, which are enough for these letters."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Digits, path, make_config(folder))
    return path


class TestData:
    def test_the_scale_is_that_of_training(self, folder: Path, task: Digits, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        write(tmp_path, {"train": images(rng, 20), "t10k": (np.full((1, 6, 5), 255), [0])})
        assert Digits(make_config(tmp_path)).vocabulary == task.vocabulary
        assert task.train.pixels.mean() == pytest.approx(0, abs=1e-5)
        assert task.train.pixels.std() == pytest.approx(1, rel=1e-5)
        found = task.scaler.means[0] + task.scaler.scales[0] * task.train.pixels
        np.testing.assert_allclose(found, task.images.train.pixels, atol=1e-3)
        assert (task.vocabulary["highest"], task.vocabulary["bright"]) == (255, False)

    def test_the_facts_say_what_is_for_what(self, task: Digits, folder: Path) -> None:
        facts = task.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (45, 15, 30)
        assert (facts["source"], facts["classes"], facts["height"], facts["width"]) == (str(folder), 3, 6, 5)
        assert (facts["repeated"], facts["leaked"], facts["steps"]) == (0, 0, 6)
        assert facts["sha256"] == task.images.sha256
        assert "permutation" not in facts
        jumbled = [Digits(make_config(folder, seed, data={"order": "permuted"})).facts() for seed in (0, 1)]
        assert jumbled[0] == jumbled[1]  # the order is not that of a seed
        assert (jumbled[0]["steps"], len(jumbled[0]["permutation"])) == (30, 64)

    def test_an_epoch_shows_each_image_once_with_its_label(self, task: Digits) -> None:
        """Nine batches of ten are two epochs of 45 images, and one batch is of both."""
        batches = [task.batch(step) for step in range(9)]
        shown = np.concatenate([batch["images"] for batch in batches])
        labels = np.concatenate([batch["labels"] for batch in batches])
        assert {batch["images"].shape for batch in batches} == {(10, 6, 5)}
        expected = sorted(zip(map(bytes, task.train.pixels), task.train.labels, strict=True))
        for epoch in (slice(0, 45), slice(45, 90)):
            assert sorted(zip(map(bytes, shown[epoch]), labels[epoch], strict=True)) == expected
        assert not np.array_equal(shown[:45], shown[45:])

    def test_a_batch_is_a_function_of_the_step(self, task: Digits, folder: Path) -> None:
        again, other = Digits(make_config(folder)), Digits(make_config(folder, seed=1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        assert not np.array_equal(other.batch(17)["images"], task.batch(17)["images"])

    def test_a_batch_may_be_larger_than_the_data(self, folder: Path) -> None:
        batch = Digits(make_config(folder, train={"batch_size": 100})).batch(0)
        counts = np.unique(batch["images"].reshape(100, -1), axis=0, return_counts=True)[1]
        assert (len(counts), counts.min(), counts.max()) == (45, 2, 3)

    def test_nothing_is_fitted_to_the_labels_of_the_test(
        self, finished: Path, task: Digits, folder: Path, tmp_path: Path
    ) -> None:
        """With these labels shuffled the model, its batches and its validation stay; the test scores change."""
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        path = tmp_path / "t10k-labels-idx1-ubyte"
        raw = path.read_bytes()
        path.write_bytes(raw[:8] + bytes(np.random.default_rng(1).permutation([*raw[8:]]).tolist()))
        other, params = Digits(make_config(tmp_path)), open_run(finished, find).params
        assert_fitted_alike(task, other, params)
        assert task.evaluate(params, "test")["accuracy"] > 0.9
        assert other.evaluate(params, "test")["accuracy"] < 0.6
        assert max(scores["accuracy"] for scores in other.others.values()) < 0.6

    @pytest.mark.parametrize("source", TABLES)
    def test_empty_means_the_source(
        self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def fake(name: str) -> Path:
            asked.append(name)
            return tmp_path

        found, labels = images(np.random.default_rng(0), 20)
        rows = [[*image.ravel() // 16, label] for image, label in zip(found, labels, strict=True)]
        (tmp_path / "a.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        monkeypatch.setattr(digits, "fetch", fake)
        task = Digits(make_config("", data={"path": "", "source": source, "width": 5}))
        assert asked == [source]
        assert task.facts()["source"] == TABLES[source]
        assert (task.vocabulary["highest"], task.facts()["test"]) == (16, 12)


class TestModel:
    def test_an_image_is_read_in_its_order(self) -> None:
        images = jnp.arange(24.0).reshape(2, 4, 3)
        rows = imagereader.sequences(images, "rows")
        assert rows.shape == (4, 2, 3)
        assert rows[2, 1].tolist() == [18, 19, 20]
        one = imagereader.sequences(images, "pixels")
        assert one.shape == (12, 2, 1)
        assert one[:, 1, 0].tolist() == [*range(12, 24)]
        jumbled = imagereader.sequences(images, "permuted")[:, 1, 0]
        np.testing.assert_array_equal(jumbled, 12 + imagereader.permutation(12))
        assert sorted(jumbled.tolist()) == [*range(12, 24)]

    @pytest.mark.parametrize("order", imagereader.ORDERS)
    def test_what_is_said_after_a_step_is_of_what_was_read(self, order: str) -> None:
        """A pixel changes nothing before the step that reads it, and something from there on."""
        options = imagereader.Model(**SMALL | {"pooling": "mean" if order == "rows" else "last"})
        model = imagereader.ImageReader(3, order, options)
        images = jax.random.normal(jax.random.key(1), (1, 4, 3))
        params = drawn(model.init, images)
        read = jax.jit(partial(model.apply, every=True))
        before, after = (read(params, each) for each in (images, images.at[0, 2, 1].add(1)))
        assert before.shape == (imagereader.steps(4, 3, order), 1, 3)
        step = {"rows": 2, "pixels": 7, "permuted": imagereader.permutation(12).tolist().index(7)}[order]
        differ = jnp.abs(before - after).max((1, 2)) > 1e-7
        assert differ.tolist() == [t >= step for t in range(len(differ))]
        np.testing.assert_allclose(model.apply(params, images), before[-1], rtol=1e-6)

    def test_a_batch_equals_its_images_alone(self, task: Digits, params: Any) -> None:
        some = task.train.pixels[:7]
        together = task.read(params, some)
        assert together.sum(1) == pytest.approx(1, rel=1e-5)
        for i, image in enumerate(some):
            np.testing.assert_allclose(task.read(params, image[None])[0], together[i], rtol=2e-5)

    def test_the_gates_may_start_slow(self) -> None:
        """So that what the first steps read arrives at the end."""

        def reach(chrono: int) -> float:
            model = imagereader.ImageReader(
                3, "pixels", imagereader.Model(**SMALL | {"layers": 1, "chrono": chrono})
            )
            images = jnp.ones((1, 6, 6))

            @jax.jit
            def slope() -> jax.Array:
                params = model.init(jax.random.key(0), images)
                return jax.grad(lambda xs: (model.apply(params, xs) ** 2).sum())(images)

            return float(jnp.abs(slope()[0, 0]).max())

        assert reach(36) > 100 * reach(0)

    def test_labels_may_be_smooth(self, folder: Path, task: Digits, params: Any) -> None:
        smooth = Digits(make_config(folder, model=SMALL | {"label_smoothing": 0.3}))
        batch, key = task.batch(0), jax.random.key(0)
        odds = np.log(task.read(params, batch["images"]))
        for of, share in ((task, 0.0), (smooth, 0.3)):
            wanted = (1 - share) * np.eye(3)[batch["labels"]] + share / 3
            value, carry = jax.jit(of.loss)(params, (), batch, key)
            assert float(value) == pytest.approx(-(wanted * odds).sum(1).mean(), rel=1e-5)
            assert carry == ()

    @pytest.mark.parametrize(
        "model", [{"dropout": 0.5, "layers": 2}, {"shift": 1.0}, {"turn": 30.0}, {"stretch": 0.3}]
    )
    def test_disturbances_follow_the_key(self, folder: Path, model: Any) -> None:
        task = Digits(make_config(folder, model=SMALL | {"layers": 1} | model))
        loss, params = jax.jit(task.loss), drawn(task.init)
        losses = [loss(params, (), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
        assert losses[0] == losses[1] != losses[2]

    def test_images_move_turn_and_stretch_by_as_much_as_they_may(self) -> None:
        """Seen at what is as bright as it is far to the right: a slope that moves is brighter or darker."""
        distorted = jax.jit(imagereader.distorted, static_argnames=("shift", "turn", "stretch"))
        slope = jnp.broadcast_to(jnp.arange(9.0), (500, 9, 9))
        middle = np.asarray(distorted(jax.random.key(0), slope, shift=2.0, turn=0.0, stretch=0.0))[:, 4, 4]
        assert (middle.min(), middle.max()) == pytest.approx((2, 6), abs=0.05)
        assert middle.mean() == pytest.approx(4, abs=0.15)
        turned = np.asarray(distorted(jax.random.key(0), slope, shift=0.0, turn=30.0, stretch=0.0))
        np.testing.assert_allclose(turned[:, 4, 4], 4, atol=1e-4)
        tilt = turned[:, 5, 4] - turned[:, 3, 4]  # twice the sine of the angle
        assert (tilt.min(), tilt.max()) == pytest.approx((-1, 1), abs=0.02)
        wide = np.asarray(distorted(jax.random.key(0), slope, shift=0.0, turn=0.0, stretch=0.25))
        steep = (wide[:, 4, 5] - wide[:, 4, 3]) / 2
        assert (steep.min(), steep.max()) == pytest.approx((0.8, 1.25), abs=0.01)
        np.testing.assert_allclose(wide[:, 0], wide[:, 8], atol=1e-5)
        plain = imagereader.distorted(jax.random.key(0), slope, 0.0, 0.0, 0.0)
        assert plain is slope


class TestBaselines:
    def test_the_nearest_is_the_nearest(self) -> None:
        rng = np.random.default_rng(0)
        queries, references = rng.integers(0, 255, (300, 3, 2)), rng.integers(0, 255, (40, 3, 2))
        distances = ((queries[:, None] - references) ** 2).sum((2, 3))
        found = pixels.nearest(queries.astype(np.float32), references.astype(np.float32))
        np.testing.assert_array_equal(found, distances.argmin(1))

    def test_validation_is_among_the_neighbours(self, task: Digits) -> None:
        scaled = [task._scaled(part) for part in (task.images.train, task.images.validation)]
        said = pixels.baselines(*scaled, scaled[1], 3)
        np.testing.assert_array_equal(said["1-NN on pixels"], scaled[1].labels)


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert summary["higher_is_better"]
        assert summary["test"] > 0.9
        assert {"test_macro_f1", "baseline_logistic_accuracy"} <= {*summary["also"]}
        for name in ("confusion.png", "mistakes.png", "reading.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        report = (finished / "report.txt").read_text()
        assert report.startswith("class    images  found  precision      F1\n0            10  ")
        assert f"this model                     {summary['test']:.4f}" in report
        assert f"1-NN on pixels                 {summary['baseline']:.4f}" in report

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, folder: Path, tmp_path: Path) -> None:
        assert_resumed_alike(Digits, finished, tmp_path / "resumed", make_config(folder))

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert open_run(finished, find).evaluate()["test"]["accuracy"] == summary["test"]

    def test_an_image_of_the_test_is_named(self, finished: Path) -> None:
        opened = open_run(finished, find)
        name, *classes = opened.sample("2").splitlines()
        assert name == "image 2 of the test split, 2"
        assert classes[0].startswith("2  ")
        odds = [float(line.split()[1]) for line in classes]
        assert sum(odds) == pytest.approx(1, abs=2e-4)
        assert sorted(odds, reverse=True) == odds
        assert opened.sample() == opened.sample("0") != opened.sample(input="2")

    def test_a_picture_is_named_whichever_is_dark(self, finished: Path, tmp_path: Path) -> None:
        """The T of the data, four times as large, as it is and as ink on paper."""
        opened = open_run(finished, find)
        path = tmp_path / "T.PNG"
        letter = np.kron(25 + 200 * SHAPES[1], np.ones((4, 4))).astype(np.uint8)
        Image.fromarray(letter).save(path)
        said = {
            choice: opened.sample(str(path), exchange=choice).splitlines() for choice in ("auto", "yes", "no")
        }
        assert said["no"][1].startswith("1  ")
        assert said["no"][0] == f"{path}, light on dark as images of training are"
        assert said["auto"] == said["no"]
        assert said["yes"][0] == f"{said['no'][0]}: light and dark change places"
        assert said["yes"][1:] != said["no"][1:]
        Image.fromarray(255 - letter).save(path)
        inked = opened.sample(str(path)).splitlines()
        head = f"{path}, dark on light; images of training are light on dark"
        assert inked == [f"{head}: light and dark change places", *said["no"][1:]]
        assert opened.sample(str(path), exchange="no").splitlines()[0] == head

    def test_a_file_needs_no_data(self, task: Digits, params: Any, tmp_path: Path) -> None:
        restored = Digits.restore(task.config, json.loads(json.dumps(task.vocabulary)))
        Image.fromarray(task.images.test.pixels[1]).save(tmp_path / "a.png")
        said = restored.sample(params, str(tmp_path / "a.png"), jax.random.key(0), task.config.sample)
        assert "images" not in restored.__dict__
        of_test = task.sample(params, "1", jax.random.key(0), task.config.sample)
        assert said.splitlines()[1:] == of_test.splitlines()[1:]

    def test_images_that_are_drawn(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        told = [Told(i, rng.random((4, 3)), "$a_{", "b" if i else "$a_{", 0.5 + i / 100) for i in range(45)]
        title, shown = imagepictures.worst(told)
        assert title == "44 of 45 images of the test split told wrongly, 40 of them, the surest first"
        assert [each.number for each in shown] == [*range(44, 4, -1)]
        right = [each._replace(said=each.label) for each in told]
        title, shown = imagepictures.worst(right)
        assert title == "All 45 images of the test split are told rightly; these with the least probability"
        assert [each.number for each in shown] == [*range(40)]
        imagepictures.draw_mistakes(tmp_path / "a.png", told[:9])
        odds = rng.random((3, 12, 2))
        imagepictures.draw_reading(tmp_path / "b.png", told[:3], odds, ["$a_{", "b"], "permuted")
        imagepictures.draw_reading(tmp_path / "c.png", [], odds[:0], ["$a_{", "b"], "rows")
        assert len(list(tmp_path.glob("*.png"))) == 3


class TestRefusals:
    def test_inputs_that_are_none(self, task: Digits, params: Any, tmp_path: Path) -> None:
        def refusal(given: str) -> str:
            with pytest.raises(UserError) as error:
                task.sample(params, given, jax.random.key(0), task.config.sample)
            return str(error.value).removeprefix(f"{tmp_path}/")

        wanted = "INPUT should be a .png or .jpg file, or the number of an image of the test split"
        assert refusal("hello") == f"hello: {wanted}"
        assert refusal("") == f".: {wanted}"
        assert refusal(str(tmp_path / "no.jpeg")) == "no.jpeg: no such file"
        Image.fromarray(np.zeros((28, 28), np.uint8)).save(tmp_path / "a.png")
        mend = "crop it, and bring it to that or to a multiple, such as 50 × 60"
        assert refusal(str(tmp_path / "a.png")) == f"a.png: 28 × 28 pixels, and the model reads 5 × 6: {mend}"
        Image.fromarray(np.full((6, 5, 4), 9, np.uint8)).save(tmp_path / "a.png")
        clear = "it is transparent in places; save it without transparency"
        assert refusal(str(tmp_path / "a.png")) == f"a.png: {clear}"
        for given in ("30", "9" * 5000):
            assert refusal(given) == f"the test split has the images 0 to 29, and no {given}"

    def test_data_that_is_no_longer_that_of_the_run(self, task: Digits, folder: Path, tmp_path: Path) -> None:
        def refusal(pixels: np.ndarray, labels: np.ndarray) -> str:
            write(tmp_path, {"train": (pixels, labels), "t10k": (pixels[:3], labels[:3])})
            with pytest.raises(UserError) as error:
                Digits.restore(make_config(tmp_path), task.vocabulary).look("0", "auto")
            return str(error.value).removeprefix(f"{tmp_path}: changed since the run: ")

        found, labels = images(np.random.default_rng(0), 20)
        assert refusal(found.swapaxes(1, 2), labels) == "pixels: 6 × 5, and then 5 × 6"
        assert refusal(found, labels + 1) == "classes: '1, 2, 3', and then '0, 1, 2'"

    def test_a_wrong_file_gets_one_line_and_status_2(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copytree(folder, tmp_path / "data")
        path = tmp_path / "data" / "t10k-images-idx3-ubyte"
        path.write_bytes(path.read_bytes()[:-1])
        assert main(["train", "digits", f"data.path={path.parent}", f"run.dir={tmp_path / 'run'}"]) == 2
        what = "cut short: its size is 30 × 6 × 5, and only 899 bytes of 900 are there"
        assert capsys.readouterr().err == f"error: {path}: {what}\n"
        assert not (tmp_path / "run").exists()

    def test_slow_gates_are_for_some_steps(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "digits", "model.chrono=2"]) == 2
        assert capsys.readouterr().err == "error: [model] chrono should be 0, or 3 or more, got 2\n"

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(digits, "fetch", offline)
        with pytest.raises(UserError, match=r"^mnist-5k cannot be had$"):
            Digits(make_config("", data={"path": "", "source": "mnist-5k"}))

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda v: None, "vocabulary should be bright, classes, height, highest, scaler, width"),
            (lambda v: {}, "vocabulary should be bright, classes, height, highest, scaler, width"),
            (lambda v: v | {"classes": ["a", "a"]}, "vocabulary should be classes, each a list of different strings"),
            (lambda v: v | {"classes": ["a"]}, "vocabulary should have two classes or more"),
            (lambda v: v | {"height": 0}, "height should be a number of pixels, not 0"),
            (lambda v: v | {"width": "3"}, "width should be a number of pixels, not '3'"),
            (lambda v: v | {"highest": 7}, "highest should be 1, 16 or 255, and bright true or false"),
            (lambda v: v | {"bright": 1}, "highest should be 1, 16 or 255, and bright true or false"),
            (lambda v: v | {"scaler": TWO}, "the scaler should have one mean and one scale"),
            (lambda v: v | {"scaler": {}}, f"the scaler should be {SHAPE}"),
        ],
    )  # fmt: skip
    def test_a_vocabulary_that_is_none(
        self, task: Digits, damage: Callable[[dict[str, Any]], object], message: str
    ) -> None:
        with pytest.raises(ValueError) as error:  # noqa: PT011 the whole message is compared
            Digits.restore(task.config, damage(task.vocabulary))
        assert str(error.value) == message


CONFIGS = {
    "digits": ("digits", "rows"),
    "mnist": ("mnist-5k", "rows"),
    "mnist-pixels": ("mnist-5k", "pixels"),
    "mnist-permuted": ("mnist-5k", "permuted"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_configs_are_whole(name: str) -> None:
    config = read(locate(name), [], find)
    assert (config.task, config.data.path) == ("digits", "")
    assert (config.data.source, config.data.order) == CONFIGS[name]


@pytest.mark.full
@pytest.mark.parametrize(("name", "least"), [("digits", 0.975), ("mnist", 0.965)])
def test_digits_are_told(tmp_path: Path, name: str, least: float) -> None:
    """One seed of a config; needs the data set in the cache, or a network."""
    summary = run(Digits, tmp_path / "run", read(locate(name), [], find))
    facts = json.loads((tmp_path / "run" / "data.json").read_text())["facts"]
    assert facts["train"] + facts["validation"] + facts["test"] == {"digits": 1797, "mnist": 5000}[name]
    assert summary["baseline"] > summary["also"]["baseline_logistic_accuracy"]
    assert summary["test"] >= least
