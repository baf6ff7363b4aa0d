"""The task words: nothing is fitted to the test, every word is scored once, a run is repeated to the bit."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgru.cli import main
from jaxgru.data.text import language_reference
from jaxgru.data.wordtext import END
from jaxgru.tasks import find, words
from jaxgru.tasks.language_models import language, surprise
from jaxgru.tasks.language_models.language import CHUNK
from jaxgru.tasks.language_models.wordmodel import Model, WordModel, network
from jaxgru.tasks.words import METRIC, Words
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.cases import quick_jit
from tests.tasks.helpers import config_of

STILL = {"word_dropout": 0.0, "input_dropout": 0.0, "output_dropout": 0.0, "drop_connect": 0.0}
SMALL = {"embedding_size": 6, "hidden_size": 6, **STILL}
# A language of its own: who follows whom is a matter of course, but for the noun.
NOUNS = ["cat", "dog", "mr.", "<unk>"]


def make_config(path: Path | str, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "data": {"path": str(path), "window": 5, "test": 0.2, "validation": 0.1},
        "model": SMALL,
        "sample": {"length": 30},
        "train": {"batch_size": 3},
    }
    return config_of(Words, default, tables)


def make_lines(seed: int, count: int) -> str:
    nouns = np.random.default_rng(seed).choice(NOUNS, count)
    return "".join(f" the {noun} did n't see it \n" for noun in nouns)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("words") / "text.txt"
    path.write_text(language_reference()[:16_000], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def task(path: Path) -> Words:
    return Words(make_config(path))


@pytest.fixture(scope="module")
def params(task: Words) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 3 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as of the Penn Treebank."""
    path = tmp_path_factory.mktemp("ptb")
    for seed, (part, count) in enumerate({"train": 60, "valid": 8, "test": 12}.items()):
        (path / f"ptb.{part}.txt").write_text(make_lines(seed, count))
    return path


def settings(folder: Path, run: Path) -> list[str]:
    small = {"embedding_size": 8, "hidden_size": 8, "word_dropout": 0.0, "input_dropout": 0.1}
    values = {
        **{f"model.{name}": value for name, value in small.items()},
        "data.path": folder,
        "data.window": 7,
        "run.dir": run,
        "run.evaluate_every": 20,
        "run.save_every": 20,
        "run.keep": 9,
        "train.steps": 60,
        "train.batch_size": 4,
        "train.learning_rate": 0.03,
        "train.warmup_steps": 0,
        "sample.length": 20,
    }
    return [f"{name}={value}" for name, value in values.items()]


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of sixty steps, which are enough for this language."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", "words", *settings(folder, path)]) == 0
    return path


def of_fixed_odds(task: Words, odds: list[float]) -> Any:
    """Parameters with which the next word has the same odds whatever was read."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    params["params"]["bias"] = jnp.log(jnp.array(odds))
    return params


class TestData:
    def test_the_vocabulary_is_that_of_training(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("a b c once\n\n" + "a b c d " * 5 + "late late late a twice d d")
        task = Words(make_config(path, data={"validation": 0.1, "test": 0.2}))
        assert task.vocabulary == {"words": [END, "a", "b", "c", "d"], "lines": False}
        facts = task.facts()
        assert (facts["words"], facts["train"], facts["validation"], facts["test"]) == (33, 24, 3, 6)
        assert facts["vocabulary"] == 6
        assert (facts["unknown_train"], facts["unknown_validation"], facts["unknown_test"]) == (1, 2, 2)
        assert facts["source"] == str(path)

    def test_the_protocol_of_the_penn_treebank(self, folder: Path) -> None:
        """Every word of the training file, its <unk> among them, and <eos> at the end of each line."""
        task = Words(make_config(folder))
        assert {*task.vocabulary["words"]} == {END, "the", "cat", "dog", "mr.", "did", "n't", "see", "it"}
        assert task.vocabulary["lines"]
        facts = task.facts()
        assert (facts["train"], facts["validation"], facts["test"]) == (60 * 7, 8 * 7, 12 * 7)
        assert facts["vocabulary"] == 10
        unknown = (folder / "ptb.test.txt").read_text().count("<unk>")
        assert facts["unknown_test"] == unknown > 0

    def test_counts_are_chosen_by_the_kind_of_text_unless_told(self, folder: Path, path: Path) -> None:
        sizes = [
            [len(Words(make_config(of, data=data)).numbers) for of in (folder, path)]
            for data in ({}, {"min_count": 1}, {"min_count": 2}, {"min_count": 16})
        ]
        (auto_folder, auto_text), ones, twos, many = sizes
        assert auto_folder == ones[0]
        assert ones[1] > twos[1] == auto_text > many[1]

    def test_shuffling_the_test_changes_its_score_and_nothing_else(
        self, finished: Path, folder: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        lines = (folder / "ptb.test.txt").read_text().split("\n")
        rng = np.random.default_rng(0)
        shuffled = "\n".join(" ".join(rng.permutation(line.split())) for line in lines)
        (tmp_path / "ptb.test.txt").write_text(shuffled)
        task, other = (Words(make_config(path)) for path in (folder, tmp_path))
        assert other.vocabulary == task.vocabulary
        assert other.model == task.model
        for step in range(task.windows.steps):
            jax.tree.map(np.testing.assert_array_equal, other.batch(step), task.batch(step))
        run = open_run(finished, find)
        other = Words(dataclasses.replace(run.config, data=other.config.data), run.vocabulary)
        assert other.evaluate(run.params, "validation") == run.evaluate()["validation"]
        assert other.evaluate(run.params, "test")[METRIC] > 3 * run.evaluate()["test"][METRIC]
        assert other.baseline()[METRIC] > 3 * task.baseline()[METRIC]
        assert other.ngram(3).discount == task.ngram(3).discount

    def test_training_sees_each_word_of_its_split_once_an_epoch_and_no_other(self, task: Words) -> None:
        stop = task.text.split.train.stop
        seen: list[int] = []
        for step in range(task.windows.steps):
            batch = task.batch(step)
            positions, fresh = task.windows.at(step)
            assert batch["inputs"].shape == batch["targets"].shape == (5, 3)
            assert batch["fresh"] == fresh == (step == 0)
            np.testing.assert_array_equal(batch["inputs"], task.ids[positions])
            np.testing.assert_array_equal(batch["targets"], task.ids[positions + 1])
            seen.extend((positions + 1).ravel().tolist())
        assert len(set(seen)) == len(seen) > stop - 1 - 5 * 3
        assert 1 <= min(seen) <= max(seen) < stop


class TestScore:
    @pytest.mark.parametrize("split", ["validation", "test"])
    def test_it_is_that_of_one_long_scan(self, task: Words, params: Any, split: Any) -> None:
        part = getattr(task.text.split, split)
        inputs = task.ids[part.start - 1 : part.stop - 1, None]
        _, logits = quick_jit(task.model.apply)(params, inputs)
        p = jax.nn.softmax(np.asarray(logits, np.float64))[
            np.arange(len(part)), 0, task.ids[part.start : part.stop]
        ]
        np.testing.assert_allclose(task.bits(params, part), -np.log2(p), rtol=1e-4, atol=1e-5)
        expected = np.exp(-np.log(p).mean())
        assert task.evaluate(params, split)[METRIC] == pytest.approx(expected, rel=1e-5)

    def test_the_state_is_carried_from_chunk_to_chunk(self, task: Words) -> None:
        assert len(task.text.split.test) > CHUNK
        assert len(task.text.split.test) % CHUNK

    def test_a_model_that_knows_nothing_pays_for_every_word_alike(self, task: Words, params: Any) -> None:
        zeros = jax.tree.map(jnp.zeros_like, params)
        for split in ("validation", "test"):
            assert task.evaluate(zeros, split) == {METRIC: pytest.approx(len(task.numbers), rel=1e-5)}

    def test_scoring_compiles_once_for_all_splits(self, task: Words, params: Any) -> None:
        task.evaluate(params, "validation")
        before = language._nats._cache_size()
        task.evaluate(params, "test")
        assert language._nats._cache_size() == before

    def test_unknown_words_are_scored_as_the_symbol_they_are(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("a b " * 50 + " ".join(f"new{i}" for i in range(25)))
        task = Words(make_config(path, data={"test": 0.16}))
        params = of_fixed_odds(task, [1e-20, 0.5, 0.4, 0.1])
        part = task.text.split.test
        np.testing.assert_allclose(task.bits(params, part)[:-1], np.log2(10), rtol=1e-5)
        assert task.baseline()[METRIC] > 4

    def test_a_hopeless_score_is_a_number(self) -> None:
        assert words.perplexity(np.array([2.0, 4.0])) == 8
        assert np.isfinite(words.perplexity(np.array([1e5])))

    def test_the_baselines_know_the_context(self, task: Words) -> None:
        scores = task.baseline()
        assert scores.keys() == {METRIC, "five_gram_perplexity"}
        assert max(scores.values()) < 0.3 * len(task.numbers)


class TestModel:
    def test_state_carried_between_windows_makes_one_long_stream(self, task: Words, params: Any) -> None:
        loss, carry, losses = quick_jit(task.loss), task.initial_carry(), []
        for step in range(3):
            value, carry = loss(params, carry, task.batch(step), jax.random.key(step))
            losses.append(value)
        batches = [task.batch(step) for step in range(3)]
        inputs, targets = (np.concatenate([b[name] for b in batches]) for name in ("inputs", "targets"))
        end, logits = quick_jit(task.model.apply)(params, inputs)
        whole = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
        assert np.mean(losses) == pytest.approx(float(whole), rel=1e-5)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), carry, end)
        junk = jax.tree.map(lambda leaf: leaf + 0.5, carry)
        assert loss(params, junk, task.batch(0), jax.random.key(0))[0] == losses[0]
        later = {**task.batch(0), "fresh": np.bool_(0)}
        assert loss(params, junk, later, jax.random.key(0))[0] != losses[0]

    @pytest.mark.parametrize("rate", [*STILL, "state_dropout"])
    def test_every_dropout_follows_the_key_and_is_off_in_the_score(
        self, task: Words, params: Any, rate: str
    ) -> None:
        model = WordModel(len(task.numbers), Model(**{**SMALL, rate: 0.5}))
        ids = task.batch(0)["inputs"]
        draw = quick_jit(lambda key: model.apply(params, ids, deterministic=False, rngs={"dropout": key})[1])
        first, same, other = (np.asarray(draw(jax.random.key(k))) for k in (1, 1, 2))
        np.testing.assert_array_equal(first, same)
        assert (first != other).any()
        _, still = model.apply(params, ids)
        np.testing.assert_array_equal(still, task.model.apply(params, ids)[1])

    def test_word_dropout_hides_a_word_wherever_it_stands(self, task: Words, params: Any) -> None:
        model = WordModel(len(task.numbers), Model(**{**SMALL, "word_dropout": 0.5}))
        ids = np.tile(np.arange(20)[:, None], (1, 2))
        _, logits = model.apply(params, ids, deterministic=False, rngs={"dropout": jax.random.key(0)})
        np.testing.assert_allclose(logits[:, 0], logits[:, 1], rtol=1e-5)

    @pytest.mark.parametrize(
        ("options", "extra"),
        [
            ({"tied": True, "hidden_size": 6}, {"bias"}),
            ({"tied": True, "hidden_size": 5}, {"bias", "Dense_0"}),
            ({"tied": False, "hidden_size": 5}, {"Dense_0"}),
        ],
    )
    def test_the_embedding_makes_the_logits_where_it_is_tied(self, options: Any, extra: set[str]) -> None:
        model = WordModel(9, Model(embedding_size=6, layers=2, **options))
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((3, 2), jnp.int32))["params"]
        assert {*shapes} == {"Embed_0", "gru", *extra}
        assert len(shapes["gru"]) == 2
        if extra > {"bias"}:
            assert shapes["Dense_0"]["kernel"].shape == (5, 6)
        if "bias" not in extra:
            assert shapes["Dense_0"]["kernel"].shape == (5, 9)

    def test_each_layer_has_its_dropout(self) -> None:
        net = network(Model(layers=2, embedding_size=3, hidden_size=4, input_dropout=0.1, output_dropout=0.2))
        assert [layer.input for layer in net.layers] == [0.1, 0.0]
        assert [layer.output_rate for layer in net.layers] == [0.2, 0.2]
        assert (net.input_size, net.output_size) == (3, 4)


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        assert not summary["higher_is_better"]
        assert summary["published"] is None
        # Four nouns at one word of seven: no model can do better than this.
        assert 4 ** (1 / 7) * 0.97 < summary["test"] < 1.6
        assert summary["baseline"] == pytest.approx(4 ** (1 / 7), rel=0.05)
        assert "baseline_five_gram_perplexity" in summary["also"]
        assert (finished / "surprise.png").read_bytes().startswith(b"\x89PNG")
        assert "did n't see it\nthe" in (finished / "sample.txt").read_text()

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "resumed"
        shutil.copytree(finished, path)
        last = path / "checkpoints" / "00000060.safetensors"
        whole = last.read_bytes()
        for file in (path / "summary.json", last, last.with_suffix(".json")):
            file.unlink()
        assert main(["train", "words", "--resume", *settings(folder, path)]) == 0
        assert last.read_bytes() == whole
        before, after = (json.loads((of / "summary.json").read_text()) for of in (finished, path))
        assert (after["test"], after["also"]) == (before["test"], before["also"])

    def test_the_command_line_scores_and_samples_it(
        self, finished: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        summary = json.loads((finished / "summary.json").read_text())
        assert main(["evaluate", str(finished)]) == 0
        assert f"{summary['test']:.4f}" in capsys.readouterr().out
        command = ["sample", str(finished), "the mr.", "length=4", "temperature=0"]
        assert main(command) == 0
        assert capsys.readouterr().out == "the mr. did n't see it\n"

    def test_the_text_is_read_only_to_score(self, finished: Path, task: Words, params: Any) -> None:
        gone = Words.restore(make_config("/no/such.txt"), json.loads(json.dumps(task.vocabulary)))
        options, key = task.config.sample, jax.random.key(0)
        texts = [of.sample(params, "The unheard (of", key, options) for of in (gone, task)]
        assert texts[0] == texts[1]
        with pytest.raises(UserError, match=r"^/no/such\.txt: no such file$"):
            gone.evaluate(params, "test")


class TestSample:
    def test_the_same_key_writes_the_same_text_after_the_prompt(self, task: Words, params: Any) -> None:
        options = task.config.sample
        text = task.sample(params, "The unheard (of", jax.random.key(5), options)
        assert text.startswith("The unheard (of")
        assert task.sample(params, "The unheard (of", jax.random.key(5), options) == text
        assert task.sample(params, "The unheard (of", jax.random.key(6), options) != text
        shorter = dataclasses.replace(options, length=10)
        assert text.startswith(task.sample(params, "The unheard (of", jax.random.key(5), shorter))
        nothing = dataclasses.replace(options, length=0)
        assert task.sample(params, "The  end ", jax.random.key(5), nothing) == "The  end "

    def test_blanks_at_its_end_do_not_change_how_a_prompt_is_read(self, task: Words, params: Any) -> None:
        options, key = task.config.sample, jax.random.key(1)
        prompts = [f"The object (of{end}" for end in ("", " ", "\n")]
        texts = [task.sample(params, prompt, key, options) for prompt in prompts]
        assert texts[0] == texts[1]
        assert texts[0].split() == texts[2].split()
        new = task.sample(params, "The object (of\n\n", key, options)
        assert new.startswith("The object (of\n\n")
        assert new.split() != texts[0].split()

    def test_unknown_words_are_never_written(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text("a b " * 50)
        task = Words(make_config(path))
        params = of_fixed_odds(task, [1e-20, 0.01, 0.01, 0.98])
        options = Words.Sample(length=100, temperature=1.0, top_p=1.0)
        assert {*task.sample(params, None, jax.random.key(0), options).split()} == {"a", "b"}

    def test_a_line_may_end_in_the_prompt(self, finished: Path) -> None:
        run = open_run(finished, find)
        greedy = {"temperature": 0.0, "length": 4}
        assert run.sample("the cat did n't see it\n", **greedy).startswith("the cat did n't see it\nthe ")


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "the file is empty"),
            (b" \n\n ", "no word at all"),
            (b"\xff\xfe\0\0", "not UTF-8 text: byte 0xff at offset 0"),
            (b"one two", "too short: 3 words leave none for validation"),
            (
                b"one two " * 50,
                "too short: 86 words to train on, and a step takes train.batch_size × data.window + 1 = 1121",
            ),
        ],
    )
    def test_a_wrong_file_gets_one_line_and_status_2(
        self, tmp_path: Path, content: bytes, fault: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "wrong.txt"
        path.write_bytes(content)
        assert main(["train", "words", f"data.path={path}", f"run.dir={tmp_path / 'run'}"]) == 2
        assert capsys.readouterr().err == f"error: {path}: {fault}\n"
        assert not (tmp_path / "run").exists()

    def test_a_folder_without_a_file(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shutil.copy(folder / "ptb.train.txt", tmp_path)
        assert main(["train", "words", f"data.path={tmp_path}", f"run.dir={tmp_path / 'run'}"]) == 2
        message = f"error: {tmp_path}: no file for validation: its name should end in valid.txt\n"
        assert capsys.readouterr().err == message

    def test_words_that_are_all_too_rare(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text(" ".join(f"word{i}" for i in range(50)))
        with pytest.raises(UserError) as error:
            Words(make_config(path))
        assert str(error.value) == f"{path}: no word to train on occurs data.min_count times"

    def test_parts_that_leave_nothing_to_train_on(self) -> None:
        message = r"^validation \+ test must be below 1, so that some of the text is left to train on$"
        with pytest.raises(ValueError, match=message):
            Words.Data(validation=0.5, test=0.5)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda v: None,
            lambda v: v["words"],
            lambda v: {"words": v["words"]},
            lambda v: v | {"lines": 1},
            lambda v: v | {"words": "ab"},
            lambda v: v | {"words": v["words"][1:]},
            lambda v: v | {"words": [END]},
            lambda v: v | {"words": [*v["words"], END]},
            lambda v: v | {"words": [END, 3]},
            lambda v: v | {"words": [END, ""]},
            lambda v: v | {"words": [END, ["a"]]},
        ],
    )
    def test_a_vocabulary_that_is_none(self, task: Words, damage: Callable[[dict[str, Any]], object]) -> None:
        message = r"^vocabulary should be lines, and words, a list of different strings after <eos>$"
        with pytest.raises(ValueError, match=message):
            Words.restore(task.config, damage(task.vocabulary))


def test_odd_words_and_short_texts_are_drawn(tmp_path: Path) -> None:
    """What matplotlib would take for a formula, words longer than a line, texts longer than their room."""
    odd = ["$x$", "$", "a" * 200, *["b" * 90] * 9]
    surprise.draw(tmp_path / "odd.png", odd, {"$y_{": np.full(12, 3.0), "b": np.full(12, 99.0)})
    surprise.draw(tmp_path / "one.png", ["a"], {"a": np.zeros(1)})
    assert len(list(tmp_path.glob("*.png"))) == 2


@pytest.mark.parametrize("bits", [[np.nan, 1.0, 2.0], [1e30, 1e300, 1e300], [np.inf, 1.0, 0.0]])
def test_what_a_model_that_diverged_reads_is_drawn(tmp_path: Path, bits: list[float]) -> None:
    surprise.draw(tmp_path / "a.png", ["a", "b", "c"], {"it": np.array(bits)})
    assert (tmp_path / "a.png").stat().st_size


def test_a_count_that_is_none_is_told_what_it_may_be() -> None:
    for name in ("two", "2x", ""):
        with pytest.raises(UserError) as error:
            read(locate("words"), [f"data.min_count={name}"], find)
        assert str(error.value) == f"data.min_count is {name!r}; it must be auto or a whole number"


def test_the_config_is_whole() -> None:
    config = read(locate("words"), [], find)
    assert (config.task, config.data.path) == ("words", "")
