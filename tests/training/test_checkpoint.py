"""The store: what it restores is what was saved, or it says which file is not."""

import json

import jax
import numpy as np
import pytest

from jaxgru.training.checkpoint import Snapshot, Store
from jaxgru.training.errors import RunError
from jaxgru.training.step import initial_state
from jaxgru.training.stopping import Best
from tests.training.helpers import make_config
from tests.training.linear import Linear

CONFIG = make_config()
START = Snapshot(initial_state(Linear(CONFIG), CONFIG.train, 0), Best.none())


def snapshot(step, best=0):
    """A snapshot of that step, unlike any other step's."""
    state = jax.tree.map(lambda leaf: leaf + step, START.state)
    score = Best(*map(np.asarray, (best, best, 0.5 if best else np.nan, 0)))
    return Snapshot(state, score)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "checkpoints", keep=2)


def save(store, *steps, best=0):
    for step in steps:
        store.save(snapshot(step, best if best <= step else 0), seconds=float(step), about={"config": {}})


def restored(store):
    found = store.restore(START)
    return found and int(found[0].state.step)


def test_what_was_saved_comes_back(store):
    save(store, 5)
    found, seconds = store.restore(START)
    assert seconds == 5.0
    for saved, leaf in zip(jax.tree.leaves(snapshot(5)), jax.tree.leaves(found), strict=True):
        assert type(saved) is type(leaf)
        assert np.asarray(saved).tobytes() == np.asarray(leaf).tobytes()


def test_equal_snapshots_are_equal_files_whenever_they_are_written(store, tmp_path):
    other = Store(tmp_path / "other")
    save(store, 5)
    other.save(snapshot(5), seconds=9.0, about={"versions": {"jax": "0"}})
    assert store.data_path(5).read_bytes() == other.data_path(5).read_bytes()
    assert store.data_path(5).name == "00000005.safetensors"


def test_an_empty_folder_restores_nothing(store):
    assert store.restore(START) is None
    assert store.steps() == []


def test_the_newest_and_the_best_are_kept(store):
    save(store, 1, 2, 3, 4, 5, best=2)
    assert store.steps() == [2, 4, 5]
    assert {path.name for path in store.folder.glob("*.safetensors")} == {
        f"{s:08d}.safetensors" for s in (2, 4, 5)
    }
    assert store.best() == 2
    assert json.loads((store.folder / "best.json").read_text()) == {"step": 2, "validation": 0.5}


def test_a_new_best_lets_the_old_one_go(store):
    save(store, 1, 2, best=1)
    save(store, 3, 4, best=3)
    save(store, 5, best=3)
    assert (store.steps(), store.best()) == ([3, 4, 5], 3)


@pytest.mark.parametrize("suffix", ["safetensors", "json"])
def test_every_flipped_bit_that_matters_is_found(store, capsys, suffix):
    """Of the arrays any bit; of the manifest its SHA-256 and step, which decide what is read."""
    save(store, 1, 2)
    path = store.folder / f"00000002.{suffix}"
    data = path.read_bytes()
    last = len(data) if suffix == "safetensors" else data.index(b'"seconds"') - 4
    flips = range(0, 8 * last, 13)
    for bit in flips:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert restored(store) == 1, f"bit {bit}"
    assert capsys.readouterr().err.count("is damaged") == len(flips)


DAMAGE = {
    "its SHA-256 is not the one in its manifest": lambda store: store.data_path(2).write_bytes(b""),
    "the file is gone": lambda store: store.data_path(2).unlink(),
    "its manifest cannot be read": lambda store: store.manifest_path(2).write_bytes(b'{"step": 2, "sha'),
}


@pytest.mark.parametrize("why", DAMAGE)
def test_damage_is_named_and_the_one_before_is_used(store, capsys, why):
    save(store, 1, 2)
    DAMAGE[why](store)
    assert restored(store) == 1
    name = store.data_path(2)
    assert capsys.readouterr().err == f"warning: {name} is damaged ({why}); going back to the one before it\n"


def test_where_all_are_damaged_there_is_none(store):
    save(store, 1, 2)
    for step in (1, 2):
        store.data_path(step).write_bytes(b"x")
    assert store.restore(START) is None


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"x"), lambda path: path.unlink()])
def test_where_the_best_is_damaged_the_newest_good_one_stands_for_it(store, capsys, damage):
    save(store, 1, 2, 3, best=1)
    assert int(store.restore_best(START)[0].state.step) == 1
    damage(store.data_path(1))
    assert int(store.restore_best(START)[0].state.step) == 3
    err = capsys.readouterr().err
    assert err.startswith(f"warning: {store.data_path(1)} is damaged (")
    assert err.endswith("; the newest good checkpoint stands for the best\n")


@pytest.mark.parametrize(
    "name", ["4.json", "000000004.json", "100000000.json", "00000004.json.json", "٠٠٠٠٠٠٠٤.json"]
)
def test_only_files_as_the_store_names_them_count(store, name):
    save(store, 1)
    (store.folder / name).touch()
    assert store.steps() == [1]


def test_half_a_save_is_no_checkpoint(store):
    save(store, 1)
    store.data_path(2).write_bytes(store.data_path(1).read_bytes())
    assert (store.steps(), restored(store)) == ([1], 1)


@pytest.mark.parametrize("data", [b"\xff", b"[]", b'{"step": -5}', b'{"step": "1"}', b'{"step": 1e9}', b"{}"])
def test_a_damaged_pointer_is_said(store, capsys, data):
    save(store, 1, best=1)
    (store.folder / "best.json").write_bytes(data)
    assert store.best() is None
    assert "best.json is damaged; the newest checkpoint stands for the best" in capsys.readouterr().err


def test_another_model_is_refused_and_not_called_damage(store):
    save(store, 1)
    wider = Snapshot(START.state._replace(params={"w": np.zeros((7, 1)), "b": np.zeros(1)}), Best.none())
    with pytest.raises(
        RunError, match=r"00000001.safetensors: state/params/b is float32, it must be float64"
    ):
        store.restore(wider)


def test_what_lies_past_a_step_is_forgotten(store):
    save(store, 1, 2)
    store.forget_after(1)
    assert sorted(path.name for path in store.folder.iterdir()) == ["00000001.json", "00000001.safetensors"]


def test_a_full_disk_leaves_the_last_good_one(store, monkeypatch):
    save(store, 1)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        save(store, 2)
    assert restored(store) == 1
    assert not list(store.folder.glob(".*"))


def test_best_counts_misses_in_either_direction():
    best = Best.none()
    for step, score in enumerate((1.0, 3.0, float("nan"), 2.0), start=1):
        best = best.after(step, score, higher_is_better=True)
    assert (int(best.step), float(best.score), int(best.misses), int(best.evaluated)) == (2, 3.0, 2, 4)
    assert [best.exhausted(patience) for patience in (0, 2, 3)] == [False, True, False]
