"""The task translate: nothing is fitted to the test, padding weighs nothing, a run is repeated to the bit."""

import gzip
import importlib.util
import json
import math
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
from jaxgru.data.padding import pieces
from jaxgru.data.tokens import tokens
from jaxgru.tasks import find
from jaxgru.tasks.translate import Translate
from jaxgru.tasks.translation import alignments
from jaxgru.tasks.translation.alignments import Translation
from jaxgru.tasks.translation.translator import score, search
from jaxgru.training.config import Config
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from jaxgru.training.saved import open_run
from tests.cases import quick_jit
from tests.tasks.helpers import assert_fitted_alike, assert_resumed_alike, config_of, run, summary_of

DICTIONARY = {"a": "ein", "big": "groß", "cat": "Katze", "dog": "Hund", "eats": "frisst", "fish": "Fisch"}
SMALL = {"embedding_size": 16, "hidden_size": 16, "attention_size": 8, "dropout": 0.0, "word_dropout": 0.0}


def make_pairs(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """Texts of 2 to 5 words and a mark; in their translations the words stand in the same order."""
    pairs = []
    for _ in range(count):
        words = rng.choice([*DICTIONARY], rng.integers(2, 6))
        pairs.append((" ".join(words) + ".", " ".join(DICTIONARY[word] for word in words) + "."))
    return pairs


def write_parts(folder: Path, parts: dict[str, list[tuple[str, str]]]) -> None:
    for part, pairs in parts.items():
        for language, side in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            (folder / f"{part}.{language}").write_text("\n".join(side) + "\n", encoding="utf-8")


def make_config(path: Path | str, seed: int = 0, **tables: Any) -> Config:
    default: dict[str, dict[str, Any]] = {
        "run": {"log_every": 50, "evaluate_every": 75, "save_every": 75, "keep": 9},
        "train": {
            "steps": 150,
            "batch_size": 16,
            "steps_per_call": 1,
            "warmup_steps": 0,
            "learning_rate": 0.03,
        },
        "data": {"path": str(path), "min_count": 1, "max_padding": 0.6, "max_shapes": 1},
        "model": SMALL,
        "sample": {"text": "big cat.", "beams": 2},
    }
    return config_of(Translate, default, tables, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 200 pairs to train on, 20 to choose by and 20 to test."""
    path, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    write_parts(path, {part: make_pairs(rng, n) for part, n in (("train", 200), ("val", 20), ("test", 20))})
    return path


@pytest.fixture(scope="module")
def task(folder: Path) -> Translate:
    return Translate(make_config(folder))


@pytest.fixture(scope="module")
def params(task: Translate) -> Any:
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose steps are enough for six words."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    run(Translate, path, make_config(folder))
    return path


class TestData:
    def test_the_vocabularies_are_those_of_training(self, folder: Path, tmp_path: Path) -> None:
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        write_parts(tmp_path, {"test": [("an unheard cat.", "eine unerhörte Katze.")]})
        task = Translate(make_config(tmp_path))
        assert {*task.sources.words} == {*DICTIONARY, "￭."}
        assert {*task.targets.words} == {*DICTIONARY.values(), "￭."}
        assert task.model.end == len(task.targets)

    def test_an_epoch_shows_each_pair_once(self, task: Translate) -> None:
        seen = []
        for step in range(task.buckets.steps):
            batch = task.batch(step)
            for place in np.flatnonzero(batch["target_lengths"]):
                pair = []
                for side in ("source", "target"):
                    length = batch[f"{side}_lengths"][place]
                    pair.append(tuple(batch[f"{side}s"][:length, place].tolist()))
                seen.append(tuple(pair))
        expected = [
            (
                tuple(task.sources.encode(source).tolist()),
                (*task.targets.encode(target).tolist(), task.model.end),
            )
            for source, target in task.trained
        ]
        assert sorted(seen) == sorted(expected)

    def test_a_batch_is_a_function_of_the_step(self, task: Translate, folder: Path) -> None:
        again, other = Translate(make_config(folder)), Translate(make_config(folder, seed=1))
        jax.tree.map(np.testing.assert_array_equal, again.batch(17), task.batch(17))
        assert not all(np.array_equal(other.batch(s)["sources"], task.batch(s)["sources"]) for s in range(3))

    def test_long_pairs_are_left_out_of_training_alone(self, folder: Path) -> None:
        task = Translate(make_config(folder, data={"longest": 4}))
        assert max(max(map(len, pair)) for pair in task.trained) == 4
        facts = task.facts()
        assert facts["too_long"] == facts["train"] - len(task.trained) > 0
        assert facts["test"] == 20

    def test_lower_case_is_for_both_sides(self, folder: Path) -> None:
        task = Translate(make_config(folder, data={"lowercase": True, "source": "de", "target": "en"}))
        assert {*task.sources.words} == {word.lower() for word in [*DICTIONARY.values(), "￭."]}

    def test_nothing_is_fitted_to_the_translations_of_the_test(
        self, finished: Path, folder: Path, tmp_path: Path
    ) -> None:
        """With these shuffled the model, its batches and its validation stay; the test scores change."""
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        lines = (folder / "test.de").read_text(encoding="utf-8").splitlines()
        shuffled = np.random.default_rng(1).permutation(lines)
        (tmp_path / "test.de").write_text("\n".join(shuffled) + "\n", encoding="utf-8")
        task, other = (Translate(make_config(path)) for path in (folder, tmp_path))
        params = open_run(finished, find).params
        assert_fitted_alike(task, other, params)
        before, after = task.evaluate(params, "test"), other.evaluate(params, "test")
        assert after["perplexity"] > 2 * before["perplexity"]
        assert after["bleu"] < before["bleu"] / 2
        assert other.baseline()["bleu"] < task.baseline()["bleu"]


class TestModel:
    def test_a_batch_equals_its_pairs_alone(self, task: Translate, params: Any) -> None:
        numbered = task._numbered(task.texts.validation)
        (batch,) = pieces(numbered.lengths)
        sources, targets = (batch.pad(side, shorter=True) for side in numbered)
        together = score(task.model, params, *sources, *targets)
        for place in (0, 7, 19):
            row = batch.rows[place]
            source, target = (side[row][:, None] for side in numbered)
            lengths = (np.array([len(side)]) for side in (source, target))
            alone = score(task.model, params, source, next(lengths), target, next(lengths))
            np.testing.assert_allclose(alone.nats[0], together.nats[place], rtol=2e-5)
        assert (together.nats[20:] == 0).all()
        assert (together.words[20:] == 0).all()

    @pytest.mark.parametrize("attention", [True, False])
    def test_teacher_forcing_is_the_loop_of_steps(self, folder: Path, params: Any, attention: bool) -> None:
        task = Translate(make_config(folder, model={"attention": attention}))
        model, numbered = task.model, task._numbered(task.texts.validation[:1])
        source, target = (side[0][:, None] for side in numbered)
        lengths = np.array([len(source)]), np.array([len(target)])
        logits, weights = model.apply(params, source, lengths[0], target, lengths[1])
        encoded = model.apply(params, source, lengths[0], method="encode")
        state, word = encoded.state, jnp.array([model.end])
        for t in range(len(target)):
            state, out = model.step((params, encoded.decoder), state, word)
            known = np.arange(out.shape[-1]) != (-1 if attention else model.end - 1)
            np.testing.assert_allclose(out[0, known], logits[t, 0, known], rtol=1e-4, atol=1e-5)
            word = jnp.asarray(target[t])
        assert weights.shape == (len(target), 1, len(source) if attention else 1)
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
        assert bool(out[0, model.end - 1] == -jnp.inf) != attention

    def test_without_attention_there_is_one_vector(self, folder: Path) -> None:
        """The twin has the same parameters, and sees the words in no other way than through the encoder's end."""
        task = Translate(make_config(folder))
        twin = Translate(make_config(folder, model={"attention": False}))
        shapes = [jax.eval_shape(of.init, jax.random.key(0)) for of in (task, twin)]
        assert shapes[0] == shapes[1]
        source, lengths = np.array([[0], [1], [2]]), np.array([3])
        encode = partial(twin.model.apply, method="encode")
        memory = jax.eval_shape(encode, shapes[0], source, lengths).decoder.memory
        assert memory.values.shape == (1, 1, 2 * SMALL["hidden_size"])

    def test_the_loss_is_the_mean_over_real_words(self, task: Translate, params: Any) -> None:
        batch = task.batch(0)
        value, _ = quick_jit(task.loss)(params, (), batch, jax.random.key(0))
        scores = score(task.model, params, *batch.values())
        assert float(value) == pytest.approx(float(scores.nats.sum() / scores.words.sum()), rel=1e-5)

    def test_label_smoothing_mixes_in_the_mean_over_all_words(
        self, folder: Path, task: Translate, params: Any
    ) -> None:
        smooth = Translate(make_config(folder, model={"label_smoothing": 0.3}))
        batch, key = task.batch(0), jax.random.key(0)
        logits, _ = quick_jit(task.model.apply)(params, **batch)
        logs = jax.nn.log_softmax(logits)
        real = np.arange(len(batch["targets"]))[:, None] < batch["target_lengths"]
        plain, _ = quick_jit(task.loss)(params, (), batch, key)
        even = -(logs.mean(-1) * real).sum() / real.sum()
        value, _ = quick_jit(smooth.loss)(params, (), batch, key)
        assert float(value) == pytest.approx(0.7 * float(plain) + 0.3 * float(even), rel=1e-5)

    def test_dropout_follows_the_key(self, folder: Path, params: Any) -> None:
        for model in ({"dropout": 0.5}, {"word_dropout": 0.5}):
            task = Translate(make_config(folder, model=model))
            loss = quick_jit(task.loss)
            losses = [loss(params, (), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
            assert losses[0] == losses[1] != losses[2]

    def test_a_model_that_blew_up_has_a_perplexity(self, task: Translate, params: Any) -> None:
        huge = jax.tree.map(lambda leaf: 1e4 * leaf, params)
        assert 1e300 < task._perplexity(huge, task.texts.test) < math.inf

    def test_a_model_that_knows_nothing(self, task: Translate, params: Any) -> None:
        zeros = jax.tree.map(jnp.zeros_like, params)
        pairs = task.texts.test
        assert task._perplexity(zeros, pairs) == pytest.approx(task.model.targets, rel=1e-5)


class TestSearch:
    def test_what_is_found_ends_and_looked_at_the_source(self, task: Translate, params: Any) -> None:
        texts = [pair.source for pair in task.texts.test]
        for each, text in zip(task.translate(params, texts, task.config.sample), texts, strict=True):
            assert each.source == tokens(text)
            assert each.attention.shape == (len(each.words), len(each.source))
            np.testing.assert_allclose(each.attention.sum(1), 1, rtol=1e-5)

    def test_one_text_is_translated_as_among_others(self, task: Translate, params: Any) -> None:
        texts = [pair.source for pair in task.texts.test]
        together = task.translate(params, texts, task.config.sample)
        assert task.translate(params, texts[3:4], task.config.sample)[0].words == together[3].words

    def test_the_unknown_word_is_the_one_looked_at(self, finished: Path, folder: Path) -> None:
        """A model that says the unknown word for one word copies it."""
        opened = open_run(finished, find)
        task: Any = opened.task
        params = jax.tree.map(lambda leaf: leaf, opened.params)
        unknown, fish = task.targets.unknown, task.targets.words.index("Fisch")
        rows = params["params"]["target_embedding"]["embedding"]
        swapped = rows.at[unknown].set(rows[fish]).at[fish].set(rows[unknown])
        params["params"]["target_embedding"]["embedding"] = swapped
        bias = params["params"]["bias"]
        params["params"]["bias"] = bias.at[unknown].set(bias[fish]).at[fish].set(bias[unknown])
        assert task.translate(params, ["a big fish."], task.config.sample)[0].text == "ein groß fish."

    def test_the_score_is_that_of_the_found_translation(self, task: Translate, params: Any) -> None:
        numbers = task._numbered(task.texts.validation).sources
        (batch,) = pieces([len(each) for each in numbers])
        sources, lengths = batch.pad(numbers)
        best = [search(task.model, params, sources, lengths, 12, beams, jnp.float32(0)) for beams in (1, 6)]
        nats = [score(task.model, params, sources, lengths, each.words, each.lengths).nats for each in best]
        assert (nats[1] <= nats[0] + 1e-4).all()
        assert (nats[1] < nats[0] - 1e-4).any()


class TestRun:
    def test_it_learns_and_leaves_what_people_look_at(self, finished: Path) -> None:
        summary = summary_of(finished)
        assert not summary["higher_is_better"]
        assert summary["test"] < 1.5 < summary["baseline"]
        assert summary["also"]["test_bleu"] > 80 > summary["also"]["baseline_bleu"]
        for name in ("attention.png", "curves.png"):
            assert (finished / name).read_bytes().startswith(b"\x89PNG")
        report = (finished / "translations.txt").read_text(encoding="utf-8")
        assert report.count("\nmodel    ") == report.count("text     ") > 3

    def test_a_resumed_run_ends_in_the_same_bits(self, finished: Path, folder: Path, tmp_path: Path) -> None:
        assert_resumed_alike(Translate, finished, tmp_path / "resumed", make_config(folder))

    def test_a_run_is_opened_with_the_same_scores(self, finished: Path) -> None:
        summary = summary_of(finished)
        scores = open_run(finished, find).evaluate()
        assert scores["test"] == {"perplexity": summary["test"], "bleu": summary["also"]["test_bleu"]}

    def test_a_sample_is_a_translation(self, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["sample", str(finished), "a  dog eats\nfish.", "beams=3"]) == 0
        assert capsys.readouterr().out == "ein Hund frisst Fisch.\n"
        assert open_run(finished, find).sample() == "groß Katze."

    def test_the_texts_are_read_only_to_score(self, finished: Path, task: Translate, params: Any) -> None:
        config = make_config(finished / "gone")
        restored = Translate.restore(config, json.loads(json.dumps(task.vocabulary)))
        options, key = config.sample, jax.random.key(0)
        assert restored.sample(params, None, key, options) == task.sample(params, None, key, options)
        with pytest.raises(UserError, match=r"gone: no such folder$"):
            restored.evaluate(params, "test")

    def test_a_model_without_attention_draws_none(self, folder: Path, tmp_path: Path) -> None:
        tables: dict[str, dict[str, Any]] = {"model": {"attention": False}, "train": {"steps": 2}}
        summary = run(Translate, tmp_path / "twin", make_config(folder, **tables))
        assert math.isfinite(summary["test"])
        assert {path.name for path in (tmp_path / "twin").glob("*.[pt][nx][gt]")} == {
            "curves.png",
            "translations.txt",
        }


class TestRefusals:
    def test_a_text_without_words(self, task: Translate, params: Any) -> None:
        with pytest.raises(UserError) as error:
            task.sample(params, " \n", jax.random.key(0), task.config.sample)
        mend = 'give a text: python -m jaxgru sample RUN "a text"'
        assert str(error.value) == f"there is no word to translate; {mend}"

    def test_one_language(self) -> None:
        with pytest.raises(
            ValueError, match=r"^source and target are both 'de'; they should be two languages$"
        ):
            Translate.Data(source="de", target="de")

    def test_fewer_pairs_than_a_batch(self, folder: Path) -> None:
        with pytest.raises(UserError) as error:
            Translate(make_config(folder, train={"batch_size": 500}))
        assert str(error.value).startswith(f"{folder}: too few pairs: ")
        assert str(error.value).endswith("and a step takes train.batch_size = 500")

    def test_pairs_that_are_all_too_long(self, folder: Path) -> None:
        with pytest.raises(
            UserError, match=r": too few pairs: 0 to train on of at most data\.longest = 1 words, "
        ):
            Translate(make_config(folder, data={"longest": 1}))

    @pytest.mark.parametrize("side", ["source", "target"])
    def test_words_that_are_all_too_rare(self, tmp_path: Path, side: str) -> None:
        rare = [f"w{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(100)]
        pairs = [(word, "ja") if side == "source" else ("yes", word) for word in rare]
        write_parts(tmp_path, dict.fromkeys(("train", "val", "test"), pairs))
        with pytest.raises(UserError, match=rf": no word of the {side} occurs data\.min_count = 2 times$"):
            Translate(make_config(tmp_path, data={"min_count": 2}))

    def test_no_language(self) -> None:
        with pytest.raises(ValueError, match=r"^source and target should each be a language, such as 'de'$"):
            Translate.Data(source="")

    def test_padding_that_no_shapes_reach(self, folder: Path) -> None:
        with pytest.raises(UserError) as error:
            Translate(make_config(folder, data={"max_padding": 0.01, "max_shapes": 2}))
        assert str(error.value).startswith("[data] max_padding=0.01 is out of reach of max_shapes=2, ")

    def test_without_sacrebleu(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError) as error:
            Translate(make_config(folder))
        mend = "it comes with: pip install 'jaxgru[tasks]'"
        assert str(error.value) == f"the task translate scores with sacrebleu; {mend}"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda v: None,
            lambda v: v["source"],
            lambda v: {"source": v["source"]},
            lambda v: v | {"target": "ab"},
            lambda v: v | {"target": ["a", "a"]},
            lambda v: v | {"source": ["a", 3]},
        ],
    )
    def test_a_vocabulary_that_is_none(
        self, task: Translate, damage: Callable[[dict[str, Any]], object]
    ) -> None:
        message = r"^vocabulary should be source and target, each a list of different strings$"
        with pytest.raises(ValueError, match=message):
            Translate.restore(task.config, damage(task.vocabulary))

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            (lambda p: (p / "train.de").unlink(), "{folder}: "),
            (
                lambda p: (p / "train.de").write_text("eins\n"),
                "{folder}/train.en: 200 lines, train.de has 1; ",
            ),
            (lambda p: (p / "val.en").write_bytes(b"\xff"), "{folder}/val.en: not UTF-8 text: "),
            (lambda p: (p / "test.en").write_bytes(b""), "{folder}/test.en: the file is empty"),
            (
                lambda p: (p / "test.en").write_bytes(gzip.compress(b"a" * 9999)[:-9]),
                "{folder}/test.en: a damaged gzip file: ",
            ),
        ],
    )
    def test_a_wrong_file_gets_one_line_and_status_2(
        self,
        folder: Path,
        tmp_path: Path,
        change: Callable[[Path], object],
        fault: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        wrong = shutil.copytree(folder, tmp_path / "wrong")
        change(wrong)
        assert main(["train", "translate", f"data.path={wrong}", f"run.dir={tmp_path / 'run'}"]) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("error: " + fault.format(folder=wrong))
        assert errors.count("\n") == 1
        assert not (tmp_path / "run").exists()


class TestAlignments:
    def test_texts_of_a_usual_length_are_chosen_evenly(self) -> None:
        texts = [["a"] * 3, *[["b"] * 8] * 100, ["c"] * 30]
        chosen = alignments.choose(texts)
        assert len(chosen) == 24
        assert (chosen[0], chosen[-1]) == (1, 100)
        assert len({*chosen}) == 24
        assert alignments.choose(texts[:1]) == [0]

    def test_a_picture_has_the_start_of_long_texts(self, tmp_path: Path) -> None:
        said = [Translation(["a"] * 2000, ["b"] * 2000, "", np.zeros((2000, 2000)))]
        alignments.draw(tmp_path / "a.png", said)
        assert (tmp_path / "a.png").stat().st_size < 200_000

    def test_a_picture_of_any_words(self, tmp_path: Path) -> None:
        said = [
            Translation(["$x_{", "￭￭"], ["a" * 40, "\x00"], "", np.full((2, 2), 0.5)),
            Translation(["a"], ["b", "c"], "b c", np.ones((2, 1))),
            Translation(["a"], [], "", np.zeros((0, 1))),
        ]
        alignments.draw(tmp_path / "a.png", said)
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


class TestConfig:
    def test_the_config_is_this_task(self) -> None:
        config = read(locate("translate"), (), find)
        assert config.task == "translate"
        assert config.train.steps_per_call == 1
        assert config.model.attention
