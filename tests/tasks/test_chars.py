"""The task chars: no leakage, a score that counts every character once, a sampler that keeps its word."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgru import decode
from jaxgru.data.text import language_reference
from jaxgru.data.vocabulary import Characters
from jaxgru.tasks import find
from jaxgru.tasks.chars import METRIC, Chars
from jaxgru.tasks.language_models import language
from jaxgru.tasks.language_models.language import CHUNK
from jaxgru.training.config import Config, TrainConfig
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError
from tests.cases import quick_jit

TEXT = language_reference()[:7000]
SMALL = {"embedding_size": 4, "hidden_size": 6, "layers": 2}


def make_config(path, *, batch_size=3, data=None, model=None, sample=None):
    return Config(
        task="chars",
        seed=0,
        train=TrainConfig(batch_size=batch_size),
        data=Chars.Data(path=str(path), **{"window": 5, "validation": 0.1, "test": 0.2, **(data or {})}),
        model=Chars.Model(**{**SMALL, **(model or {})}),
        sample=Chars.Sample(**{"length": 30, **(sample or {})}),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("chars") / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def task(path):
    return Chars(make_config(path))


@pytest.fixture(scope="module")
def params(task):
    """Parameters far enough from their start that every layer matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, jax.jit(task.init)(jax.random.key(0)))


@pytest.fixture(scope="module")
def abcd(tmp_path_factory):
    path = tmp_path_factory.mktemp("abcd") / "text.txt"
    path.write_text("abcd" * 50)
    return Chars(make_config(path))


def of_fixed_odds(task, odds):
    """Parameters with which the next character has the same odds whatever was read."""
    shapes = jax.eval_shape(task.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    params["params"]["Dense_0"]["bias"] = jnp.log(jnp.array(odds))
    return params


@pytest.fixture(scope="module")
def still(path):
    """A task without dropout, and its compiled loss."""
    task = Chars(make_config(path, model={"dropout": 0.0}))
    return task, quick_jit(task.loss)


def test_splits_are_cut_by_rule_and_the_vocabulary_is_that_of_training(tmp_path):
    text = "abcabcabcd" * 6 + "xbcabcabcd" + "xycabcabcd" * 2 + "zabcdabcde"
    path = tmp_path / "text.txt"
    path.write_text(text)
    task = Chars(make_config(path, data={"validation": 0.1, "test": 0.3}))
    assert task.vocabulary == "abcd"
    facts = task.facts()
    assert (facts["train"], facts["validation"], facts["test"]) == (60, 10, 30)
    assert facts["characters"] == 100
    assert facts["unknown"] == sum(c not in "abcd" for c in text[60:]) == 7
    assert facts["vocabulary"] == 5
    assert facts["source"] == str(path)


def test_the_reference_is_the_default_and_its_repeats_are_dropped():
    task = Chars(Config(task="chars", data=Chars.Data(), model=Chars.Model(), sample=Chars.Sample()))
    paragraphs = task.corpus.text.split("\n\n")
    assert len(set(paragraphs)) == len(paragraphs)
    assert task.facts()["sha256"] == task.corpus.sha256
    assert task.facts()["source"] == "the Python language reference"


def test_training_sees_each_character_of_its_split_once_an_epoch_and_no_other(task):
    stop = task.corpus.split.train.stop
    seen = []
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


@pytest.mark.parametrize("split", ["validation", "test"])
def test_the_score_is_that_of_one_long_scan(task, params, split):
    part = getattr(task.corpus.split, split)
    assert len(part) > CHUNK
    assert len(part) % CHUNK
    inputs = task.ids[part.start - 1 : part.stop - 1, None]
    _, logits = quick_jit(task.model.apply)(params, inputs)
    p = jax.nn.softmax(np.asarray(logits, np.float64))[
        np.arange(len(part)), 0, task.ids[part.start : part.stop]
    ]
    assert task.evaluate(params, split)[METRIC] == pytest.approx(-np.log2(p).mean(), rel=1e-6)


def test_a_model_that_knows_nothing_pays_for_every_character_alike(task, params):
    zeros = jax.tree.map(jnp.zeros_like, params)
    for split in ("validation", "test"):
        assert task.evaluate(zeros, split) == {METRIC: pytest.approx(np.log2(len(task.symbols)), rel=1e-6)}


def test_scoring_compiles_once_for_all_splits(task, params):
    task.evaluate(params, "validation")
    before = language._nats._cache_size()
    task.evaluate(params, "test")
    assert language._nats._cache_size() == before


def test_unknown_characters_are_scored_as_the_symbol_they_are(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 40 + "Z" * 20)
    task = Chars(make_config(path))
    params = of_fixed_odds(task, [0.5, 0.5, 1e-20])
    assert task.evaluate(params, "test") == {METRIC: pytest.approx(20 * np.log2(10), rel=1e-5)}
    assert task.baseline()[METRIC] > np.log2(3)


def test_the_baseline_beats_guessing(task):
    assert task.baseline()[METRIC] < 0.7 * np.log2(len(task.symbols))


def test_state_carried_between_windows_makes_one_long_stream(still, params):
    task, loss = still
    carry, losses = task.initial_carry(), []
    for step in range(3):
        value, carry = loss(params, carry, task.batch(step), jax.random.key(step))
        losses.append(value)
    batches = [task.batch(step) for step in range(3)]
    inputs, targets = (np.concatenate([b[name] for b in batches]) for name in ("inputs", "targets"))
    end, logits = quick_jit(task.model.apply)(params, inputs)
    whole = optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()
    assert np.mean(losses) == pytest.approx(float(whole), rel=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), carry, end)


def test_a_fresh_epoch_forgets_the_state(still, params):
    task, loss = still
    batch, key = task.batch(0), jax.random.key(0)
    junk = jax.tree.map(lambda leaf: leaf + 0.5, task.initial_carry())
    value, _ = loss(params, task.initial_carry(), batch, key)
    assert loss(params, junk, batch, key)[0] == value
    assert loss(params, junk, {**batch, "fresh": np.bool_(0)}, key)[0] != value


def test_dropout_follows_the_key(task, params):
    loss = quick_jit(task.loss)
    losses = [loss(params, task.initial_carry(), task.batch(0), jax.random.key(k))[0] for k in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_it_learns(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("hello world\n" * 40)
    task = Chars(
        make_config(
            path, batch_size=4, data={"window": 12}, model={"hidden_size": 16, "layers": 1, "dropout": 0.0}
        )
    )
    optimizer = optax.adam(0.03)
    params, carry = jax.jit(task.init)(jax.random.key(0)), task.initial_carry()

    @jax.jit
    def step(params, state, carry, batch):
        grads, carry = jax.grad(task.loss, has_aux=True)(params, carry, batch, jax.random.key(0))
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, carry

    state = jax.jit(optimizer.init)(params)
    before = task.evaluate(params, "test")[METRIC]
    for i in range(80):
        params, state, carry = step(params, state, carry, task.batch(i))
    assert before > 2
    assert task.evaluate(params, "test")[METRIC] < 0.2
    greedy = dataclasses.replace(task.config.sample, temperature=0.0)
    assert task.sample(params, "hello ", jax.random.key(0), greedy).startswith("hello world\nhello world\n")


class TestSample:
    def test_the_same_key_writes_the_same_text(self, task, params):
        options = task.config.sample
        text = task.sample(params, "The ", jax.random.key(5), options)
        assert text.startswith("The ")
        assert len(text) == len("The ") + options.length
        assert task.sample(params, "The ", jax.random.key(5), options) == text
        assert task.sample(params, "The ", jax.random.key(6), options) != text
        assert task.sample(params, "A", jax.random.key(5), options)[1:] != text[4:]

    def test_a_longer_text_starts_with_the_shorter(self, task, params):
        short, long = (dataclasses.replace(task.config.sample, length=n) for n in (10, 40))
        key = jax.random.key(1)
        assert task.sample(params, "a", key, long).startswith(task.sample(params, "a", key, short))

    def test_one_compilation_serves_all_numbers_and_prompts_of_one_length(self, task, params):
        task.sample(params, "a", jax.random.key(0), task.config.sample)
        before, length = decode.writing._write._cache_size(), task.config.sample.length
        for prompt, t, p in [("b", 0.1, 0.5), ("", 2.0, 1.0), ("T", 0.0, 0.9)]:
            task.sample(params, prompt, jax.random.key(1), Chars.Sample(prompt, length, t, p))
        assert decode.writing._write._cache_size() == before

    def test_no_characters_are_the_prompt(self, task, params):
        options = dataclasses.replace(task.config.sample, length=0)
        assert task.sample(params, "The", jax.random.key(0), options) == "The"

    def test_an_empty_prompt_starts_a_line(self, task, params):
        options, key = task.config.sample, jax.random.key(2)
        text = task.sample(params, None, key, options)
        assert len(text) == options.length
        assert "\n" + text == task.sample(params, "\n", key, options)

    @pytest.mark.parametrize(("top_p", "allowed"), [(0.5, "a"), (0.65, "ab"), (0.85, "abc"), (1.0, "abcd")])
    def test_top_p_leaves_out_the_unlikely(self, abcd, top_p, allowed):
        params = of_fixed_odds(abcd, [0.6, 0.2, 0.15, 0.05, 1e-9])
        options = Chars.Sample(length=200, temperature=1.0, top_p=top_p)
        assert set(abcd.sample(params, "a", jax.random.key(0), options)) == set(allowed)

    def test_temperature_sharpens_the_odds(self, abcd):
        params = of_fixed_odds(abcd, [0.6, 0.4, 1e-30, 1e-30, 1e-30])
        share = {}
        for temperature in (0.0, 0.3, 1.0, 5.0):
            options = Chars.Sample(length=300, temperature=temperature, top_p=1.0)
            share[temperature] = abcd.sample(params, "b", jax.random.key(0), options)[1:].count("a") / 300
        odds = {temperature: 1.5 ** (1 / temperature) for temperature in (0.3, 1.0, 5.0)}
        assert share.pop(0.0) == 1
        assert share == {t: pytest.approx(o / (1 + o), abs=0.1) for t, o in odds.items()}

    def test_what_is_unknown_is_never_written(self, abcd):
        params = of_fixed_odds(abcd, [0.01, 0.01, 0.01, 0.01, 0.96])
        options = Chars.Sample(length=100, temperature=1.0, top_p=1.0)
        assert set(abcd.sample(params, "a", jax.random.key(0), options)) == set("abcd")

    def test_a_prompt_the_model_cannot_read_is_refused(self, task, params):
        with pytest.raises(UserError) as error:
            task.sample(params, "Ω", jax.random.key(0), task.config.sample)
        assert (
            str(error.value) == "the prompt has 'Ω', which does not occur in the training text; leave it out"
        )


def test_finish_leaves_a_sample(task, params, tmp_path):
    key = jax.random.key(3)
    assert task.finish(params, tmp_path, key) == [tmp_path / "sample.txt"]
    text = (tmp_path / "sample.txt").read_text(encoding="utf-8")
    assert text == task.sample(params, None, key, task.config.sample) + "\n"


def test_a_restored_task_needs_its_text_only_to_score(tmp_path, params, task):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    restored = Chars.restore(make_config(path), task.vocabulary)
    key, options = jax.random.key(0), task.config.sample
    assert restored.sample(params, "a", key, options) == task.sample(params, "a", key, options)
    path.unlink()
    gone = Chars.restore(make_config(path), task.vocabulary)
    assert gone.sample(params, "a", key, options) == task.sample(params, "a", key, options)
    assert restored.vocabulary == Characters(TEXT[: task.corpus.split.train.stop]).characters
    with pytest.raises(UserError, match=r"text\.txt: no such file$"):
        gone.evaluate(params, "test")


class TestRefusals:
    """Each is one line that names the fault; the run has not begun."""

    def refuse(self, content, tmp_path, **changes):
        path = tmp_path / "text.txt"
        path.write_bytes(content)
        with pytest.raises(UserError) as error:
            Chars(make_config(path, **changes))
        return str(error.value).removeprefix(f"{path}: ")

    def test_a_file_that_is_no_text(self, tmp_path):
        assert self.refuse(b"a" * 99 + b"\xff", tmp_path) == "not UTF-8 text: byte 0xff at offset 99"

    def test_a_text_without_room_for_three_parts(self, tmp_path):
        assert self.refuse(b"abc", tmp_path) == "too short: 3 characters leave none for validation"

    def test_a_text_too_short_for_one_step(self, tmp_path):
        message = (
            "too short: 15 characters to train on, and a step takes train.batch_size × data.window + 1 = 16"
        )
        assert self.refuse(b"abc" * 7, tmp_path) == message
        assert Chars(make_config(self.write(tmp_path, "abc" * 7 + "ab"))).windows.steps == 1

    def test_a_prompt_in_the_config_that_the_model_could_not_read(self, tmp_path):
        message = self.refuse(b"abc" * 70, tmp_path, sample={"prompt": "The"})
        assert message == "the prompt has 'T', which does not occur in the training text; leave it out"

    def test_parts_that_leave_nothing_to_train_on(self):
        message = r"^validation \+ test must be below 1, so that some of the text is left to train on$"
        with pytest.raises(ValueError, match=message):
            Chars.Data(validation=0.5, test=0.5)

    def test_a_task_that_is_none(self):
        with pytest.raises(UserError, match=r"^no task is named 'cars'; did you mean chars\?$"):
            find("cars")
        with pytest.raises(UserError, match=r"^no task is named 'xyz'; the tasks are adding, chars"):
            find("xyz")

    @staticmethod
    def write(tmp_path, text):
        path = tmp_path / "other.txt"
        path.write_text(text)
        return path


def test_at_any_temperature_the_unknown_character_is_never_drawn(task, params):
    options = Chars.Sample(temperature=1e38, top_p=1.0, length=200)
    assert "\N{REPLACEMENT CHARACTER}" not in task.sample(params, None, jax.random.key(0), options)


@pytest.mark.parametrize("vocabulary", [None, "", 3, ["a", "b"]])
def test_a_vocabulary_that_is_none_is_refused(path, vocabulary):
    with pytest.raises(ValueError, match="vocabulary should be a string of characters, one at least"):
        Chars.restore(make_config(path), vocabulary)


@pytest.mark.parametrize("setting", ["model.hidden_size=65537", "model.layers=65", "sample.temperature=101"])
def test_sizes_and_temperatures_beyond_reason_are_refused(setting):
    name = setting.partition("=")[0]
    with pytest.raises(UserError, match=rf"^{name} is \d+(\.0)?; it must be at most \d+$"):
        read(locate("chars"), [setting], find)
