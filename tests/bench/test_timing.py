"""Measurement, on a clock that the measured functions move themselves."""

import statistics

import pytest

from jaxgru import bench
from jaxgru.bench import timing


class Clock:
    """A clock that stands still but for what is run."""

    def __init__(self):
        self.now = 0.0
        self.slept = 0.0
        self.calls = []

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.slept += seconds
        self.now += seconds

    def function(self, name, *seconds):
        """One that takes so long, at each call another of the numbers."""
        seconds = list(seconds)

        def run():
            self.calls.append(name)
            self.now += seconds[0]
            seconds.append(seconds.pop(0))

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_ratios_are_those_of_the_clock(clock):
    times = bench.measure({"ours": clock.function("ours", 0.5), "theirs": clock.function("theirs", 0.75)})
    assert bench.compare(times, "ours")["theirs"] == (1.5, 1.5, 1.5)
    assert bench.compare(times, "theirs")["ours"].median == pytest.approx(2 / 3)


def test_what_slows_a_round_down_leaves_its_ratio():
    """The machine is three times as slow in some rounds: both are, and the ratio is not."""
    slow = [1.0, 3.0, 1.0, 1.0, 3.0, 1.0, 1.0]
    times = {"ours": slow, "theirs": [2 * seconds for seconds in slow]}
    assert bench.compare(times, "ours")["theirs"] == (2, 2, 2)
    assert statistics.median(times["ours"]) * 2 != statistics.mean(times["theirs"])


@pytest.mark.parametrize(("seconds", "rounds"), [(0.01, 15), (0.25, 8), (0.75, 5), (3.0, 5)])
def test_rounds_fit_the_time(clock, seconds, rounds):
    times = bench.measure({"one": clock.function("one", seconds)}, seconds=2.0)
    assert len(times["one"]) == rounds


def test_every_round_has_its_own_order(clock):
    names = ["a", "b", "c"]
    bench.measure({name: clock.function(name, 0.1) for name in names})
    calls = clock.calls[6:]  # after the warm-up
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert all(sorted(each) == names for each in rounds)
    assert len(set(map(tuple, rounds))) > 1


def test_a_short_function_runs_several_times_and_its_median_counts(clock):
    times = bench.measure({"short": clock.function("short", 1e-3, 1e-3, 9e-3)})
    assert len(clock.calls) == 2 + 3 * len(times["short"])
    assert times["short"] == pytest.approx([1e-3] * len(times["short"]))


def test_a_pause_is_not_measured(clock):
    times = bench.measure({"spins": clock.function("spins", 0.1)}, pause={"spins": 0.5})
    assert times["spins"] == pytest.approx([0.1] * len(times["spins"]))
    assert clock.slept == pytest.approx(0.5 * (1 + len(times["spins"])))


def test_latencies_are_of_single_calls(clock):
    found = timing.latencies({"step": clock.function("step", 1e-4, 3e-4)}, rounds=2, calls=4)
    assert found["step"] == [pytest.approx([1e-4, 3e-4] * 2)] * 2
