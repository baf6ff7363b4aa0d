"""One optimiser step, and many in one dispatch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgru.training.config import TrainConfig
from jaxgru.training.dispatch import Dispatcher, next_stop
from jaxgru.training.step import initial_state, make_optimizer, make_schedule, make_train_steps
from tests.training.helpers import make_config
from tests.training.linear import Linear

STEPS = 12


@functools.cache
def compiled(config):
    """The task and its step: one compilation for all tests of a config."""
    task = Linear(config)
    return task, make_train_steps(task.loss, config.train, config.seed)


def run_steps(config, cuts, capacity=STEPS):
    """The state and the losses after dispatches of the sizes in `cuts`."""
    task, train_steps = compiled(config)
    state = initial_state(task, config.train, config.seed)
    losses, step = [], 0
    for count in cuts:
        batches = [task.batch(step + min(i, count - 1)) for i in range(capacity)]
        state, trace = train_steps(state, jax.tree.map(lambda *leaves: np.stack(leaves), *batches), count)
        losses += trace.loss[:count].tolist()
        step += count
    return state, losses


def assert_same_bits(left, right):
    assert jax.tree.structure(left) == jax.tree.structure(right)
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("cuts", [[1] * 12, [5, 7], [11, 1]], ids=str)
def test_numbers_do_not_depend_on_the_cut_into_dispatches(cuts):
    whole, losses = run_steps(make_config(), [STEPS])
    pieces, the_same = run_steps(make_config(), cuts)
    assert_same_bits(whole, pieces)
    assert losses == the_same
    assert len(set(losses)) == STEPS


def test_one_compilation_serves_every_count():
    _, train_steps = compiled(make_config(seed=4))
    run_steps(make_config(seed=4), [1, 5, 6])
    assert train_steps._cache_size() == 1


def test_numbers_do_not_depend_on_the_size_of_the_stack():
    assert_same_bits(
        run_steps(make_config(), [STEPS])[0], run_steps(make_config(), [1] * STEPS, capacity=1)[0]
    )


def test_it_is_adamw_with_clipping_under_the_schedule():
    """The same steps by optax's own adamw, the loss and its gradient written out."""
    config = make_config(clip_norm=0.5, weight_decay=0.3)
    task, train = Linear(config), config.train
    schedule = make_schedule(train)
    reference = optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.adamw(schedule, b1=0.9, b2=0.999, weight_decay=0.3, mask={"w": True, "b": False}),
    )
    params = initial_state(task, train, config.seed).params
    opt_state = reference.init(params)
    for step in range(STEPS):
        key = jax.random.fold_in(jax.random.key(config.seed), step)
        grads = jax.grad(lambda p, s=step, k=key: task.loss(p, jnp.zeros(()), task.batch(s), k)[0])(params)
        updates, opt_state = reference.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
    state, _ = run_steps(config, [STEPS])
    for name in ("w", "b"):
        np.testing.assert_allclose(state.params[name], params[name], rtol=1e-5)
    assert int(state.carry) == STEPS


def test_vectors_do_not_decay():
    optimizer = make_optimizer(TrainConfig(weight_decay=0.5))
    params = {"w": jnp.ones((2, 2)), "b": jnp.ones(2)}
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    assert float(updates["w"][0, 0]) == -0.5
    assert float(updates["b"][0]) == 0.0


def test_models_apart_are_trained_as_if_alone():
    """Each is clipped by its own norm, decays by itself, and has its part of the rate."""
    train = TrainConfig(clip_norm=1.0, weight_decay=0.1)
    parts, alone = {"a": 1.0, "b": 0.25}, make_optimizer(train)
    params = {"a": {"w": jnp.ones((2, 2))}, "b": {"w": jnp.full((2, 2), 3.0)}}
    optimizer = make_optimizer(train, parts)
    state, states = optimizer.init({"params": params}), {name: alone.init(params[name]) for name in parts}
    for size in (1.0, 1000.0):
        grads = {"a": {"w": jnp.array([[0.1, 0.2], [0.0, 0.4]])}, "b": {"w": jnp.full((2, 2), size)}}
        together, state = optimizer.update({"params": grads}, state, {"params": params})
        for name, part in parts.items():
            update, states[name] = alone.update(grads[name], states[name], params[name])
            expected = jax.tree.map(lambda leaf, part=part: part * leaf, update)
            np.testing.assert_allclose(together["params"][name]["w"], expected["w"], rtol=1e-6)


@pytest.mark.parametrize(("schedule", "middle"), [("cosine", 0.55), ("linear", 0.55), ("constant", 1.0)])
def test_schedules(schedule, middle):
    """A ramp of equal parts up to the peak, then down to final_fraction at the last step."""
    train = TrainConfig(steps=24, warmup_steps=4, learning_rate=1.0, final_fraction=0.1, schedule=schedule)
    rate = make_schedule(train)
    np.testing.assert_allclose([rate(s) for s in range(5)], [0.2, 0.4, 0.6, 0.8, 1.0], rtol=1e-6)
    np.testing.assert_allclose(rate(14), middle, rtol=1e-6)
    np.testing.assert_allclose(rate(24), 1.0 if schedule == "constant" else 0.1, rtol=1e-6)


@pytest.mark.parametrize("cuts", [[12], [4, 8], [6, 6]], ids=str)
def test_raise_freezes_before_the_bad_step(cuts):
    clean, _ = run_steps(make_config(data={"bad_steps": (6,)}), [6])
    frozen, losses = run_steps(make_config(data={"bad_steps": (6,)}), cuts)
    assert int(frozen.step) == 6
    assert_same_bits(frozen, clean)
    assert np.isnan(losses[6])


def test_skip_leaves_out_one_update_and_goes_on():
    before, _ = run_steps(make_config(), [6])
    after, _ = run_steps(make_config(nonfinite="skip", data={"bad_steps": (6,)}), [7])
    assert int(after.step) == 7
    assert_same_bits(after._replace(step=before.step), before)
    state, losses = run_steps(make_config(nonfinite="skip", data={"bad_steps": (6,)}), [12])
    assert np.isnan(losses).tolist() == [step == 6 for step in range(12)]
    assert np.isfinite(state.params["w"]).all()


def test_ignore_goes_on_with_nan():
    state, losses = run_steps(make_config(nonfinite="ignore", data={"bad_steps": (6,)}), [12])
    assert int(state.step) == 12
    assert np.isnan(losses).tolist() == [step >= 6 for step in range(12)]
    assert np.isnan(state.params["w"]).all()


def test_the_seed_decides():
    assert run_steps(make_config(), [2])[1] != run_steps(make_config(seed=4), [2])[1]


def test_dispatches_end_where_something_is_due():
    config = make_config(steps_per_call=100)
    dispatch = Dispatcher(Linear(config), config)
    assert dispatch.capacity == 5
    dispatch.stride = 5
    state, ends = initial_state(dispatch.task, config.train, config.seed), []
    while int(state.step) < 30:
        state, reports = dispatch(state)
        ends.append(int(state.step))
        assert reports[-1].step == ends[-1]
    assert {5, 7, 10, 14, 15, 20, 21, 25, 28, 30} <= set(ends)


def test_next_stop_is_never_past_the_end():
    config = make_config()
    assert [next_stop(step, config) for step in (0, 5, 6, 7, 28, 29)] == [5, 7, 7, 10, 30, 30]


def test_a_dispatch_ends_where_the_shapes_of_batches_change():
    """Batches of few shapes: each shape compiles once, and no number depends on the cut into dispatches."""
    options = {"data": {"rows": (4, 4, 4, 6, 6)}, "run": {"log_every": 10, "save_every": 10}, "steps": 10}
    ends, losses, states = [], [], []
    for steps_per_call in (4, 1):
        config = make_config(**options, steps_per_call=steps_per_call)
        dispatch = Dispatcher(Linear(config), config)
        state, reports = initial_state(dispatch.task, config.train, config.seed), []
        while int(state.step) < 10:
            dispatch.stride = steps_per_call  # whatever the clock said of the last one
            state, more = dispatch(state)
            reports += more
            ends.append(more[-1].step)
        assert dispatch.train_steps._cache_size() == 2
        losses.append([report.loss for report in reports])
        states.append(state)
    assert ends == [3, 5, 8, 10, *range(1, 11)]
    assert losses[0] == losses[1]
    assert_same_bits(*states)
