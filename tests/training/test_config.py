"""Configs: what is misspelt, mistyped or impossible is refused, by name and line."""

import dataclasses
import os

import hypothesis
import pytest
from hypothesis import strategies as st

from jaxgru.training.config import Config, RunConfig, TrainConfig, build, flat, keys
from jaxgru.training.configfile import locate, read, to_toml
from jaxgru.training.errors import UserError
from tests.training.linear import Linear


def find(name):
    if name != "linear":
        raise UserError(f"no task is named {name!r}")
    return Linear


def config_of(tmp_path, text="", *overrides):
    (tmp_path / "c.toml").write_text('task = "linear"\n' + text)
    return read(tmp_path / "c.toml", overrides, find)


def test_what_a_file_leaves_out_has_its_default(tmp_path):
    expected = Config(
        task="linear",
        seed=0,
        run=RunConfig(),
        train=TrainConfig(),
        data=Linear.Data(),
        model=Linear.Model(),
        sample=Linear.Sample(),
    )
    assert config_of(tmp_path) == expected
    assert RunConfig().log_every == 10


def test_overrides_win_over_the_file_and_need_no_quotes(tmp_path):
    config = config_of(
        tmp_path,
        "seed = 4\n[train]\nsteps = 7\nbatch_size = 9\n",
        "train.steps=300",
        "train.learning_rate=1",
        'data.path="a b = c.txt"',
        "run.dir=runs/[1] x=y",
        "data.bad_steps=[3, 5]",
        "train.schedule=linear",
    )
    assert (config.seed, config.train.steps, config.train.batch_size) == (4, 300, 9)
    assert type(config.train.learning_rate) is float
    assert (config.data.path, config.run.dir) == ("a b = c.txt", "runs/[1] x=y")
    assert config.data.bad_steps == (3, 5)
    assert config.train.schedule == "linear"


OVERRIDES = {
    "train.lerning_rate=1": "unknown key train.lerning_rate; did you mean train.learning_rate?",
    "learning_rate=1": "unknown key learning_rate; did you mean train.learning_rate?",
    "sede=1": "unknown key sede; did you mean seed?",
    "model.zzz=1": "unknown key model.zzz; [model] has inputs",
    "zzz=1": "unknown key zzz; the tables are run, train, mesh, data, model, sample",
    "train=1": "train is a table; write [train] above its keys",
    "train.steps": "'train.steps' is no override; write section.key=value, such as train.steps=300",
    "train.steps=many": "train.steps must be a whole number, not 'many'",
    "train.steps=": "train.steps must be a whole number, not ''",
    "train.steps=1.0": "train.steps must be a whole number, not 1.0",
    "train.steps=true": "train.steps must be a whole number, not True",
    "train.steps=0": "train.steps is 0; it must be at least 1",
    "train.steps=3000000000": "train.steps is 3000000000; it must be at most 99999999",
    "train.learning_rate='1'": "train.learning_rate must be a number, not '1'",
    "train.learning_rate=0": "train.learning_rate is 0.0; it must be above 0",
    "train.learning_rate=1e300": "train.learning_rate is 1e+300; it must be at most 1000000.0",
    "train.learning_rate=nan": "train.learning_rate is nan; it must be finite",
    "train.learning_rate=-inf": "train.learning_rate is -inf; it must be finite",
    "train.beta1=1": "train.beta1 is 1.0; it must be below 1",
    "train.final_fraction=1.5": "train.final_fraction is 1.5; it must be at most 1",
    "train.nonfinite=rise": "train.nonfinite is 'rise'; it must be one of raise, skip, ignore",
    "train.schedule=5": "train.schedule is '5'; it must be one of cosine, linear, constant",
    "data.bad_steps=3": "data.bad_steps must be a list, not 3",
    "data.bad_steps=[1, 'a']": "data.bad_steps[1] must be a whole number, not 'a'",
    "run.dir=a\0b": "[run] dir is 'a\\x00b'; a folder's name cannot hold NUL",
    "run.dir=\udcff": "run.dir is '\\udcff'; it must be valid UTF-8",
    "seed=-1": "seed is -1; it must be at least 0",
    "task=chess": "no task is named 'chess'",
}


@pytest.mark.parametrize("override", OVERRIDES, ids=ascii)
def test_a_wrong_override_is_one_line(tmp_path, override):
    with pytest.raises(UserError) as error:
        config_of(tmp_path, "", override)
    assert str(error.value) == OVERRIDES[override]


FILES = {
    "[train]\n\n lerning_rate = 1": "4: unknown key train.lerning_rate; did you mean train.learning_rate?",
    "# seed\n[run]\nkeep = 1\n[train]\nsteps = 'x' # n": "6: train.steps must be a whole number, not 'x'",
    "train.steps = 0": "2: train.steps is 0; it must be at least 1",
    '[ train ]\n"steps" = 0': "3: train.steps is 0; it must be at least 1",
    "[run]\n[trian]\nsteps = 3": "3: unknown key trian; did you mean train?",
    "train = 3": "2: train is a table; write [train] above its keys",
    "[train]\nsteps = 1979-05-27": "3: train.steps must be a whole number, not datetime.date(1979, 5, 27)",
    "[train]\nlearning_rate = 1" + "0" * 400: "3: train.learning_rate is inf; it must be finite",
    "[train\nsteps = 3": "2: Expected ']' at the end of a table declaration",
    "[train]\nsteps = 3\nsteps = 4": "4: Cannot overwrite a value",
}


@pytest.mark.parametrize("text", FILES, ids=ascii)
def test_a_wrong_file_is_one_line_with_its_number(tmp_path, text):
    with pytest.raises(UserError) as error:
        config_of(tmp_path, text)
    assert str(error.value) == f"{tmp_path / 'c.toml'}:{FILES[text]}"


BYTES = {
    b"\xff": "{}: not a TOML file: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    b"": '{}: no task is named; add a first line such as task = "chars"',
    b"task = 3": '{}: no task is named; add a first line such as task = "chars"',
}


@pytest.mark.parametrize("data", BYTES, ids=ascii)
def test_a_file_that_is_no_config_is_one_line(tmp_path, data):
    path = tmp_path / "c.toml"
    path.write_bytes(data)
    with pytest.raises(UserError) as error:
        read(path, (), find)
    assert str(error.value) == BYTES[data].format(path)


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000])
def test_a_hostile_file_is_refused(tmp_path, text):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(UserError, match="not a TOML file"):
        read(tmp_path / "c.toml", (), find)


def test_a_missing_file_is_named(tmp_path):
    for path, fault in ((tmp_path / "no.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError) as error:
            read(path, (), find)
        assert str(error.value) == f"{path}: {fault}"


def test_a_config_is_found_by_name():
    assert locate("chars").name == "chars.toml"
    assert locate("chars").is_file()
    assert locate("copy-1000").relative_to(locate("chars").parent).as_posix() == "long/copy-1000.toml"
    assert locate("long/copy-1000") == locate("copy-1000")
    assert locate("compare").parent == locate("chars").parent  # and not the long one of this name
    assert locate("long/compare").parent == locate("copy-1000").parent
    assert str(locate("my.toml")) == "my.toml"
    with pytest.raises(UserError) as error:
        locate("chras")
    assert str(error.value) == "no config is named chras; did you mean chars? A file's name ends in .toml"


def test_a_task_may_refuse_what_its_fields_cannot_say():
    class Picky(Linear):
        @dataclasses.dataclass(frozen=True)
        class Data(Linear.Data):
            def __post_init__(self):
                raise ValueError("noise and path exclude each other")

    with pytest.raises(UserError, match=r"^\[data\] noise and path exclude each other$"):
        build({}, Picky)


anything = st.text(st.characters(exclude_categories=["Cs"]))
folders = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.floats(min_value=0, exclude_min=True, max_value=1e6)


@hypothesis.given(directory=folders, path=anything, rate=numbers, steps=st.lists(st.integers(-5, 10**6)))
def test_a_config_survives_its_file(tmp_path_factory, directory, path, rate, steps):
    values = {"run.dir": directory, "data.path": path, "train.learning_rate": rate}
    config = build(values | {"data.bad_steps": tuple(steps), "seed": 2**32 - 1}, Linear)
    file = tmp_path_factory.mktemp("config") / "c.toml"
    file.write_bytes(to_toml(config).encode())
    assert read(file, (), find) == config


def test_strings_are_escaped(tmp_path):
    text = "".join(map(chr, range(256))) + '"""\\u0041 \u2028 𝔾'
    config = build({"data.path": text}, Linear)
    (tmp_path / "c.toml").write_bytes(to_toml(config).encode())
    assert read(tmp_path / "c.toml", (), find).data.path == text


def test_every_key_says_what_it_means():
    assert list(keys(Linear)) == list(flat(build({}, Linear)))
    assert all(key.metadata["help"] for key in keys(Linear).values())


def test_a_pipe_is_no_config_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "c.toml")
    with pytest.raises(UserError) as error:
        read(tmp_path / "c.toml", (), find)
    assert str(error.value) == f"{tmp_path / 'c.toml'}: not a regular file"
