"""Windows: a step depends on nothing but its number, streams run on, an epoch visits each position once."""

import numpy as np
import pytest

from jaxgru.data.windows import Windows

WINDOWS = [
    Windows(103, 4, 5, seed=0),
    Windows(20, 4, 5, seed=1),
    Windows(7, 1, 3, seed=2),
    Windows(9, 9, 1, seed=3),
]


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_an_epoch_visits_every_position_at_most_once_and_leaves_out_less_than_a_step(windows):
    for epoch in range(3):
        steps = range(epoch * windows.steps, (epoch + 1) * windows.steps)
        seen = np.concatenate([windows.at(step)[0].ravel() for step in steps])
        assert len(set(seen.tolist())) == len(seen) > windows.length - windows.rows * windows.window
        assert 0 <= seen.min() <= seen.max() < windows.length


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_each_stream_goes_on_where_it_stopped(windows):
    for step in range(3 * windows.steps):
        positions, fresh = windows.at(step)
        assert positions.shape == (windows.window, windows.rows)
        assert fresh == (step % windows.steps == 0)
        if not fresh:
            assert (positions[0] == (windows.at(step - 1)[0][-1] + 1) % windows.length).all()
        assert ((positions[1:] - positions[:-1]) % windows.length == 1 % windows.length).all()


def test_a_step_depends_on_nothing_but_itself():
    forward = [Windows(103, 4, 5, seed=0).at(step)[0] for step in range(12)]
    backward = [Windows(103, 4, 5, seed=0).at(step)[0] for step in reversed(range(12))]
    assert all((a == b).all() for a, b in zip(forward, reversed(backward), strict=True))


def test_epochs_and_seeds_turn_the_sequence_differently():
    windows = Windows(103, 4, 5, seed=0)
    starts = {windows.at(epoch * windows.steps)[0][0, 0] for epoch in range(8)}
    assert len(starts) > 4
    assert (windows.at(0)[0] != Windows(103, 4, 5, seed=1).at(0)[0]).any()


def test_a_sequence_shorter_than_one_step_is_refused():
    message = "19 positions are too few for 4 rows of windows of 5: they need 20"
    with pytest.raises(ValueError, match=f"^{message}$"):
        Windows(19, 4, 5, seed=0)
