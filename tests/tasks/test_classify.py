"""The task classify: nothing is fitted to the test, padding weighs nothing, a run is repeated to the bit."""

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

from jaxgru.cli import main
from jaxgru.data import DataError
from jaxgru.data.labelled import Example
from jaxgru.tasks import classify, find
from jaxgru.tasks.classification import logistic, tfidf, verdicts
from jaxgru.tasks.classification.verdicts import Reading, Shaded
from jaxgru.tasks.classify import Classify
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.cases import quick_jit
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, run, summary_of

TOPICS = {"oil": "barrel opec crude", "grain": "wheat crop harvest", "money": "bank rate dollar"}
FILLER = ["the", "of", "a", "to", "in", "said", "on", "for", "and", "its"]
SMALL = {"embedding_size": 6, "hidden_size": 4, "attention_size": 3, "dropout": 0.1}
HEADER = "Category\tText\nd\tstring\nclass\t\n\n"


def make_lines(rng: np.random.Generator, each: int) -> list[str]:
    """Texts of 5 to 12 words, two of which tell the topic."""
    lines = []
    for _ in range(each):
        for label, telling in TOPICS.items():
            words = [*rng.choice(FILLER, rng.integers(3, 11)), *rng.choice(telling.split(), 2)]
            lines.append(f"{label}\t{' '.join(rng.permutation(words))}\n")
    return lines


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 10, "evaluate_every": 20, "save_every": 20, "keep": 9},
        "train": {
            "steps": 40,
            "batch_size": 8,
            "steps_per_call": 2,
            "warmup_steps": 0,
            "learning_rate": 0.05,
        },
        "data": {"path": str(path), "min_count": 1, "max_padding": 0.3},
        "model": SMALL,
        "sample": {"text": "crude opec"},
    }
    return config_of(Classify, default, tables, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 90 texts to train on and 30 to test."""
    path, rng = tmp_path_factory.mktemp("topics"), np.random.default_rng(0)
    (path / "train.txt").write_text("".join(make_lines(rng, 30)), encoding="utf-8")
    (path / "test.txt").write_text("".join(make_lines(rng, 10)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def task(folder: Path) -> Classify:
    return Classify(make_config(folder))


@pytest.fixture(scope="module")
def params(task: Classify) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of forty steps, which are enough for these topics."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Classify, path, make_config(folder, model={"bidirectional": False}))
    return path


class TestData:
    def test_the_vocabulary_is_that_of_training(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        with (tmp_path / "test.txt").open("a") as file:
            file.write("oil\tunheard words\n")
        task = Classify(make_config(tmp_path))
        assert set(task.words.words) == {word for _, words in task.texts.train for word in words}
        assert task.words.encode(["unheard"]).tolist() == [task.words.unknown]
        assert task.classes == ["grain", "money", "oil"]

    def test_the_facts_say_what_is_for_what(self, task: Classify, folder: Path) -> None:
        facts = task.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (81, 9, 30)
        assert (facts["source"], facts["classes"]) == (str(folder), 3)
        assert (facts["repeated"], facts["leaked"]) == (0, 0)
        assert facts["sha256"] == task.texts.sha256

    def test_an_epoch_shows_each_text_once_with_its_label(self, task: Classify) -> None:
        seen = []
        assert len({task.batch(step)["words"].shape for step in range(task.buckets.steps)}) > 1
        for step in range(task.buckets.steps):
            batch = task.batch(step)
            for place in np.flatnonzero(batch["real"]):
                words = batch["words"][: batch["lengths"][place], place]
                seen.append((tuple(words.tolist()), int(batch["labels"][place])))
        expected = [
            (tuple(task.words.encode(words).tolist()), task.classes.index(label))
            for label, words in task.texts.train
        ]
        assert sorted(seen) == sorted(expected)

    def test_a_batch_is_a_function_of_the_step(self, task: Classify, folder: Path) -> None:
        again = Classify(make_config(folder))
        other = Classify(make_config(folder, seed=1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        assert not all(np.array_equal(other.batch(s)["words"], task.batch(s)["words"]) for s in range(3))

    def test_long_texts_are_read_from_their_start(self, folder: Path) -> None:
        task = Classify(make_config(folder, data={"longest": 5}))
        assert max(map(len, task.train)) == 5
        np.testing.assert_array_equal(task.train[0], task.words.encode(task.texts.train[0].words[:5]))

    def test_nothing_is_fitted_to_the_labels_of_the_test(
        self, finished: Path, folder: Path, tmp_path: Path
    ) -> None:
        """With these labels shuffled the model, its batches and its validation stay; the test scores change."""
        lines = [line.split("\t") for line in (folder / "test.txt").read_text().splitlines()]
        labels = np.random.default_rng(1).permutation([label for label, _ in lines])
        shuffled = "".join(f"{label}\t{text}\n" for label, (_, text) in zip(labels, lines, strict=True))
        (tmp_path / "test.txt").write_text(shuffled)
        shutil.copy(folder / "train.txt", tmp_path)
        model = {"bidirectional": False}
        task, other = (Classify(make_config(path, model=model)) for path in (folder, tmp_path))
        params = open_run(finished, find).params
        assert other.model == task.model
        assert_fitted_alike(task, other, params)
        predictions = [of.read(params, of.texts.test).odds for of in (task, other)]
        np.testing.assert_array_equal(*predictions)
        assert task.evaluate(params, "test")["accuracy"] > 0.9
        assert other.evaluate(params, "test")["accuracy"] < 0.6
        assert max(scores["accuracy"] for scores in other.others.values()) < 0.6

    def test_a_class_that_is_not_scored_is_named(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = (folder / "train.txt").read_text(encoding="utf-8")
        (tmp_path / "all.tsv").write_text("label\ttext\n" + lines, encoding="utf-8")
        Classify(make_config(tmp_path / "all.tsv"))
        what = "no text for validation or for test has the class 'label'; is a line a header?"
        assert capsys.readouterr().err == f"warning: {tmp_path / 'all.tsv'}: {what}\n"
        Classify(make_config(folder))
        assert not capsys.readouterr().err

    def test_empty_means_r8(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(2)
        for part in ("train", "test"):
            content = HEADER + "".join(make_lines(rng, 12))
            (tmp_path / f"reuters-r8-{part}.tab").write_text(content, encoding="utf-8")
        asked: list[str] = []

        def fake(name: str) -> Path:
            asked.append(name)
            return tmp_path

        monkeypatch.setattr(classify, "fetch", fake)
        task = Classify(make_config(""))
        assert asked == ["r8"]
        assert task.facts()["source"] == "Reuters R8"
        assert task.classes == ["grain", "money", "oil"]


class TestModel:
    def test_a_batch_equals_its_texts_alone(self, task: Classify, params: Any) -> None:
        examples = task.texts.validation
        together = task.read(params, examples)
        for i, example in enumerate(examples):
            alone = task.read(params, [example])
            np.testing.assert_allclose(alone.odds[0], together.odds[i], rtol=2e-5)
            np.testing.assert_allclose(alone.attention[0], together.attention[i], rtol=2e-5)

    def test_attention_is_shared_among_the_words(self, task: Classify, params: Any) -> None:
        reading = task.read(params, task.texts.test)
        for shares, (_, words) in zip(reading.attention, task.texts.test, strict=True):
            assert shares.shape == (len(words),)
            assert shares.sum() == pytest.approx(1, rel=1e-5)
            assert (shares > 0).all()
        np.testing.assert_allclose(reading.odds.sum(1), 1, rtol=1e-5)

    def test_filler_costs_nothing(self, folder: Path, params: Any) -> None:
        task = Classify(make_config(folder, model={"dropout": 0.0, "word_dropout": 0.0}))
        batch, loss, key = task.batch(0), quick_jit(task.loss), jax.random.key(0)
        value, _ = loss(params, (), batch, key)
        words = np.pad(batch["words"], ((0, 0), (0, 2)))
        filled = {name: np.pad(batch[name], (0, 2)) for name in ("lengths", "labels", "real")}
        assert loss(params, (), {"words": words, **filled}, key)[0] == pytest.approx(float(value), rel=1e-6)
        odds = task.read(params, [task.texts.train[row] for row in task.buckets.at(0).rows if row >= 0]).odds
        labels = batch["labels"][batch["real"]]
        assert float(value) == pytest.approx(-np.log(odds[np.arange(len(labels)), labels]).mean(), rel=1e-5)

    def test_dropout_follows_the_key(self, folder: Path, params: Any) -> None:
        for model in ({"dropout": 0.5, "word_dropout": 0.0}, {"dropout": 0.0, "word_dropout": 0.5}):
            task = Classify(make_config(folder, model=model))
            loss = quick_jit(task.loss)
            losses = [loss(params, (), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
            assert losses[0] == losses[1] != losses[2]

    def test_it_may_read_one_way_through_several_layers(self, folder: Path) -> None:
        task = Classify(make_config(folder, model={"bidirectional": False, "layers": 2}))
        shapes = jax.eval_shape(task.init, jax.random.key(0))["params"]
        assert {*shapes["GRU_0"]} == {"cell", "cell_1"}
        assert shapes["Dense_0"]["kernel"].shape == (4, 3)

    def test_a_model_that_knows_nothing_finds_a_third(self, task: Classify, params: Any) -> None:
        zeros = jax.tree.map(jnp.zeros_like, params)
        assert task.evaluate(zeros, "test") == {
            "accuracy": pytest.approx(1 / 3),
            "macro_f1": pytest.approx(1 / 6),
        }


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert summary["higher_is_better"]
        assert summary["test"] > 0.9
        assert summary["baseline"] > 0.9
        assert {"test_macro_f1", "baseline_logistic_accuracy", "baseline_logistic_macro_f1"} <= {
            *summary["also"]
        }
        for name in ("confusion.png", "attention.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        report = (finished / "report.txt").read_text()
        assert f"this model                    {summary['test']:.4f}" in report
        assert f"TF-IDF + nearest centroid     {summary['baseline']:.4f}" in report

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, folder: Path, tmp_path: Path) -> None:
        assert_resumed_alike(
            Classify, finished, tmp_path / "resumed", make_config(folder, model={"bidirectional": False})
        )

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        scores = open_run(finished, find).evaluate()
        assert scores["test"]["accuracy"] == summary["test"]
        assert scores["validation"]["macro_f1"] == summary["also"]["validation_macro_f1"]

    def test_a_sample_names_class_and_words(self, finished: Path) -> None:
        opened = open_run(finished, find)
        text = opened.sample("The harvest: WHEAT, said zorp", words=2)
        text, unknown = text.split("\nunknown: ")
        assert unknown == ": , zorp"
        classes, attention = text.split("\n\n")
        names = [line.split()[0] for line in classes.splitlines()]
        odds = [float(line.split()[1]) for line in classes.splitlines()]
        assert names[0] == "grain"
        assert {*names} == {*TOPICS}
        assert sum(odds) == pytest.approx(1, abs=2e-4)
        assert sorted(odds, reverse=True) == odds
        assert attention.startswith("attention: ")
        assert len(attention.split(", ")) == 2
        assert opened.sample().startswith("oil")
        assert "attention" not in opened.sample(words=0)

    def test_a_text_that_is_cut_is_said_to_be(self, task: Classify, params: Any) -> None:
        text = task.sample(params, "oil " * 200, jax.random.key(0), task.config.sample)
        assert text.endswith("only the first 128 of 200 words were read\nunknown: oil")

    def test_the_texts_are_read_only_to_score(self, finished: Path, task: Classify, params: Any) -> None:
        config = make_config(finished / "gone.tsv")
        restored = Classify.restore(config, json.loads(json.dumps(task.vocabulary)))
        options, key = config.sample, jax.random.key(0)
        assert restored.sample(params, None, key, options) == task.sample(params, None, key, options)
        with pytest.raises(UserError, match=r"gone\.tsv: no such file$"):
            restored.evaluate(params, "test")


class TestRefusals:
    def test_a_text_without_words(self, task: Classify, params: Any) -> None:
        with pytest.raises(UserError) as error:
            task.sample(params, " \n", jax.random.key(0), task.config.sample)
        mend = 'give a text: python -m jaxgru sample RUN "a text"'
        assert str(error.value) == f"there is no word to read; {mend}"

    def test_padding_that_no_shapes_reach(self, folder: Path) -> None:
        with pytest.raises(UserError) as error:
            Classify(make_config(folder, data={"max_padding": 0.01, "max_shapes": 2}))
        assert str(error.value).startswith("[data] max_padding=0.01 is out of reach of max_shapes=2, ")

    @pytest.mark.parametrize(
        "damage",
        [
            lambda v: None,
            lambda v: v["words"],
            lambda v: {"words": v["words"]},
            lambda v: v | {"classes": "ab"},
            lambda v: v | {"classes": ["oil", "oil"]},
            lambda v: v | {"words": ["a", 3]},
            lambda v: v | {"words": ["a", ["b"]]},
        ],
    )
    def test_a_vocabulary_that_is_none(
        self, task: Classify, damage: Callable[[dict[str, Any]], object]
    ) -> None:
        message = r"^vocabulary should be words and classes, each a list of different strings$"
        with pytest.raises(ValueError, match=message):
            Classify.restore(task.config, damage(task.vocabulary))

    def test_a_vocabulary_of_one_class(self, task: Classify) -> None:
        with pytest.raises(ValueError, match=r"^vocabulary should have two classes or more$"):
            Classify.restore(task.config, task.vocabulary | {"classes": ["oil"]})

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "the file is empty"),
            (b"a\tone\nb", "line 2: no tab between a label and a text: 'b'"),
            (b"a\tone\na\ttwo\n", "one class only, 'a': there is nothing to tell apart"),
            (b"\xff\xfe\0\0", "not UTF-8 text: byte 0xff at offset 0"),
        ],
    )
    def test_a_wrong_file_gets_one_line_and_status_2(
        self, tmp_path: Path, content: bytes, fault: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "wrong.tsv"
        path.write_bytes(content)
        assert main(["train", "classify", f"data.path={path}", f"run.dir={tmp_path / 'run'}"]) == 2
        assert capsys.readouterr().err == f"error: {path}: {fault}\n"
        assert not (tmp_path / "run").exists()

    def test_data_that_cannot_be_fetched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(name: str) -> Path:
            raise DataError(f"{name} cannot be had")

        monkeypatch.setattr(classify, "fetch", offline)
        with pytest.raises(UserError, match=r"^r8 cannot be had$"):
            Classify(make_config(""))


class TestCounting:
    TEXTS = tuple(np.array(text) for text in ([0, 0, 1], [0, 2], [3, 3, 1], [3, 1, 2]))

    def test_rows_have_length_one_and_rare_words_weigh_more(self) -> None:
        rows = tfidf.TFIDF.fit(self.TEXTS, words=4)([np.array([0, 2, 4]), np.array([4])])
        np.testing.assert_allclose(rows.values, [np.sqrt(0.5)] * 2, rtol=1e-6)
        weights = tfidf.TFIDF.fit(self.TEXTS, words=4).weights
        assert weights[0] == weights[2] == weights[3] > weights[1]
        np.testing.assert_allclose(weights[:2], 1 + np.log(5 / np.array([3, 4])), rtol=1e-6)

    def test_both_methods_tell_what_words_tell(self) -> None:
        labels = np.array([0, 0, 1, 1])
        known = tfidf.Texts(self.TEXTS, labels)
        unseen = tfidf.Texts([np.array([3, 2]), np.array([0, 1, 1])], np.array([0, 0]))
        found = tfidf.baselines(known, known, unseen, classes=2, words=4)
        assert {name: said.tolist() for name, said in found.items()} == {
            "TF-IDF + nearest centroid": [1, 0],
            "TF-IDF + logistic regression": [1, 0],
        }

    def test_the_regression_is_at_the_least_of_its_loss(self) -> None:
        """At the one strength it may choose, every derivative of the loss is zero."""
        labels = np.array([0, 0, 1, 1])
        rows = tfidf.TFIDF.fit(self.TEXTS, words=4)(self.TEXTS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logistic, "STRENGTHS", (3.0,))
            product = partial(tfidf.product, rows)
            w = logistic.fit(product, labels, product, labels, (4, 2))
        xs = np.zeros((4, 4))
        xs[rows.rows, rows.columns] = rows.values
        p = np.exp(xs @ w) / np.exp(xs @ w).sum(1, keepdims=True)
        gradient = xs.T @ (p - np.eye(2)[labels]) / 4 + w / (3.0 * 4)
        np.testing.assert_allclose(gradient, 0, atol=1e-5)


class TestVerdicts:
    def test_scores_are_those_of_the_definition(self) -> None:
        labels, said = np.random.default_rng(0).integers(0, 4, (2, 200))
        scores = verdicts.scores(verdicts.confusion(labels, said, 5))
        assert scores["accuracy"] == pytest.approx((labels == said).mean())
        f1 = []
        for c in range(4):
            precision, recall = (labels[said == c] == c).mean(), (said[labels == c] == c).mean()
            f1.append(2 * precision * recall / (precision + recall))
        assert scores["macro_f1"] == pytest.approx(np.mean(f1))

    def test_texts_of_each_class_and_mistakes_are_chosen(self) -> None:
        examples = [Example("ab"[i % 2], ("w",) * (i + 1)) for i in range(40)]
        odds = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)[np.arange(40) % 2]
        odds[[3, 29]] = [0.8, 0.2]
        shown = verdicts.choose(examples, Reading(odds, [np.ones(1, np.float32)] * 40), ["a", "b"])
        assert [(each.title, len(each.words)) for each in shown] == [
            ("a, with a probability of 1.00", 29),
            ("b, with a probability of 1.00", 28),
            ("b, taken for a with a probability of 0.80", 30),
            ("b, taken for a with a probability of 0.80", 4),
        ]

    def test_odd_words_and_many_classes_are_drawn(self, tmp_path: Path) -> None:
        """What matplotlib would take for a formula, words longer than a line, texts longer than their room."""
        words = ["$x$", "a" * 200, "$", *["a" * 90] * 5]
        shown = [Shaded("$y$_{", words, np.ones(9, np.float32)), Shaded("b", ["w"], np.zeros(1, np.float32))]
        verdicts.draw_attention(tmp_path / "attention.png", shown)
        verdicts.draw_attention(tmp_path / "none.png", [])
        names = ["$a$", "b" * 80, "$", *map(str, range(48))]
        verdicts.draw_confusion(tmp_path / "confusion.png", np.eye(51, dtype=np.int64), names)
        assert len(list(tmp_path.glob("*.png"))) == 3


def test_the_config_is_whole() -> None:
    config = read(locate("classify"), [], find)
    assert (config.task, config.data.path) == ("classify", "")


@pytest.mark.full
def test_r8_is_told_better_than_the_baseline_tells_it(tmp_path: Path) -> None:
    """One seed of the config; needs the data set in the cache, or a network."""
    summary = run(Classify, tmp_path / "run", read(locate("classify"), [], find))
    facts = json.loads((tmp_path / "run" / "data.json").read_text())["facts"]
    assert (facts["train"], facts["validation"], facts["test"]) == (4884, 539, 2185)
    assert (facts["repeated"], facts["leaked"]) == (62, 4)
    assert summary["baseline"] == pytest.approx(0.91, abs=0.01)
    assert summary["test"] >= 0.95
