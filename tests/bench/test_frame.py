"""The benchmark around its peers: who is let in, what is left behind, and what it says to a wrong call."""

import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxgru import cli, reference
from jaxgru.bench import command, gate, peers, report, run
from jaxgru.bench.cases import CHECKED, Case, cases, problem
from jaxgru.bench.composed import COMPOSITIONS, programs
from jaxgru.bench.peer import JaxPeer, compiled
from jaxgru.bench.peers.flax_linen import PEER as FLAX
from jaxgru.bench.peers.jaxgru import ours
from jaxgru.bench.run import Row, Setup

OURS = ours()
LSTM = Case("lstm", 6, 2, 4, "f32", True, 3)
CASES = [Case("layer", 6, 2, H, "f32", backward) for H in (4, 8) for backward in (False, True)]
KNOWN = ", ".join(peers.NAMES)
LIKE = "a case reads like 'layer T256 B8 H64 f32 backward'"
HELP = "(see python -m jaxgru bench --help)"
MINE = """\
import dataclasses
from jaxgru.bench.peers.flax_linen import PEER
PEER = dataclasses.replace(PEER, {})
"""


def altered(change):
    """jaxgru as a peer that does something else with (params, xs, h0)."""

    def build(T, B, I, H):  # noqa: E741
        convert, apply = OURS.build(T, B, I, H)
        return convert, lambda *args: change(apply, *args)

    return JaxPeer("altered", "jaxgru", build)


def wrong_weights(apply, params, xs, h0):
    return apply(params._replace(w_h=params.w_h * 1.001), xs, h0)


def wrong_gradient(apply, params, xs, h0):
    return apply(params, lax.stop_gradient(xs), h0)


def half_precision(apply, *args):
    return apply(*jax.tree.map(lambda x: x.astype(jnp.bfloat16), args)).astype(jnp.float32)


def not_finite(apply, *args):
    return apply(*args).at[-1, -1, -1].set(jnp.nan)


def test_what_is_right_is_let_in():
    for backward in (False, True):
        ready, note = run.prepare(
            Case("layer", 6, 2, 4, "f32", backward), altered(lambda f, *args: f(*args)), 1
        )
        assert ready
        assert not note


@pytest.mark.parametrize(
    ("change", "backward", "said"),
    [
        (wrong_weights, False, "wrong: ys is off by"),
        (wrong_gradient, True, "wrong: the gradient of xs is off by 1.0e+00, more than 1e-04"),
        (half_precision, False, "wrong: ys is off by"),
        (not_finite, False, "wrong: ys is off by nan, more than 2e-05"),
        (lambda f, *args: f(*args)[:-1], False, "wrong: ys has shape (5, 2, 4), not (6, 2, 4)"),
    ],
)
def test_what_is_wrong_gets_no_speed(change, backward, said):
    case = Case("layer", 6, 2, 4, "f32", backward)
    found = run.rows(case, Setup([altered(change)], 1, {"f32": 1e9}, 0.01))
    row = next(row for row in found if row.contender == "altered")
    assert row.note.startswith(said)
    assert row.ms is row.ratio is None
    assert next(row for row in found if row.contender == "jaxgru").ms


def test_a_peer_that_fails_has_a_row_that_says_so():
    def broken(apply, *args):
        raise OSError("no such thing\nand more")

    assert run.prepare(CASES[0], altered(broken), 1) == (None, "failed: OSError: no such thing")


def test_some_rows_of_a_large_batch_speak_for_it():
    given = problem(3, 4 * CHECKED, 4)
    rows = np.arange(0, 4 * CHECKED, 4)
    ys, found = gate.oracle(given, {})
    whole_ys, *whole = reference.gru_gradient(given.params, given.xs, given.h0, given.ct)
    np.testing.assert_allclose(ys[:, rows], whole_ys[:, rows], rtol=1e-12)
    assert np.isnan(np.delete(ys, rows, 1)).all()
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    found.xs[0, 1] += 1
    assert gate.disagreement(gate.oracle(given, {})[1], found, "f32").startswith("wrong: the gradient of xs")


def test_the_gradient_of_the_lstm_oracle_is_that_of_its_steps():
    """In a direction drawn anew for each array, against differences of the sum that is differentiated."""
    given, rng = problem(4, 2, 3, 2, "lstm"), np.random.default_rng(1)
    given = jax.tree.map(lambda x: x.astype(np.float64), given)
    ys, (params, d_xs, d_h0) = gate.oracle(given, {})
    found, arrays = jax.tree.leaves((params, d_xs, d_h0)), jax.tree.leaves(given[:3])

    def total(arrays):
        params, xs, h0 = jax.tree.unflatten(jax.tree.structure(given[:3]), arrays)
        outputs = reference.scan(reference.lstm_step, params, xs, tuple(h0))[1]
        return (given.ct * outputs).sum()

    assert total(arrays) == pytest.approx((given.ct * ys).sum(), rel=1e-12)
    for k, gradient in enumerate(found):
        there = 1e-5 * rng.normal(size=gradient.shape)
        up, down = ([*arrays[:k], arrays[k] + sign * there, *arrays[k + 1 :]] for sign in (1, -1))
        assert (gradient * there).sum() == pytest.approx((total(up) - total(down)) / 2, rel=1e-6)


def test_the_grid_is_the_promised_one():
    layers = [case for case in cases("full", ("f32", "bf16"), "both") if case.work == "layer"]
    assert len(layers) == len(set(layers)) == 3 * 3 * 5 * 2 * 2
    assert {case for case in layers if case.matches("T32 B8 H64 bf16 forward")} == {
        Case("layer", 32, 8, 64, "bf16", False)
    }


@pytest.mark.parametrize("work", COMPOSITIONS)
def test_a_composition_is_measured_against_its_base(work):
    found = run.rows(Case(work, 9, 2, 4, "f32", work != "jvp"), Setup([], 1, {"f32": 1e9}, 0.01))
    base, other = found
    assert (base.ratio, other.base) == (1, base.contender)
    assert other.ratio > 0
    assert other.note.startswith("memory " if work in {"sru", "mingru"} else "target ")


def test_an_lstm_is_measured_in_both_forms_of_flax():
    found = run.rows(LSTM, Setup([FLAX], 1, {"f32": 1e9}, 0.01))
    assert [row.contender for row in found] == ["jaxgru", "flax-linen", "flax-linen (optimized)"]
    assert all((row.note, row.I, row.H) == ("", 3, 4) and row.ratio and row.memory_mb for row in found)
    assert [key[:2] for key in report.compared(found)][:2] == [("lstm", row.contender) for row in found[1:]]
    assert LSTM.matches("lstm I3 backward")
    assert LSTM.flops == 3 * 6 * 2 * 8 * 4 * (3 + 4)


def test_memory_is_what_a_run_holds_beside_its_arguments():
    """A loop of matmuls whose every step is kept, and the sum of them."""

    def call(x):
        kept = lax.scan(lambda y, _: (jnp.sin(y @ x), y), x, None, length=50)[1]
        return (kept @ x).sum()

    x = jnp.ones((64, 64))
    facts = compiled(call, x)[1]
    assert 50 * x.nbytes <= facts["memory_bytes"] <= 3 * 50 * x.nbytes
    one, two = (compiled(lambda x: x + 1, x, calls=calls)[1]["memory_bytes"] for calls in (1, 2))
    assert two - one == x.nbytes


@pytest.mark.parametrize("work", ["vmap", "ensemble", "chunked", "sru", "mingru"])
def test_both_sides_of_a_composition_compute_the_same(work):
    sides = [function() for function, _ in programs(Case(work, 9, 3, 4, "f32", False)).values()]
    a, b = (np.concatenate([np.ravel(x) for x in side]) for side in sides)
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_streams_are_measured_call_by_call():
    (row,) = run.rows(Case("stream", 1, 1, 4, "f32", False), Setup([FLAX], 1, {"f32": 1e9}))
    assert (row.contender, row.note) == ("jaxgru", "")
    assert row.p99_ms >= row.ms > 0


def read_csv(folder):
    return list(csv.DictReader((folder / "results.csv").read_text(encoding="utf-8").splitlines()))


def bench(monkeypatch, capsys, *words, chosen=CASES):
    """A small benchmark in this process: its exit status, and what stands in stdout and stderr."""
    monkeypatch.setattr(command, "cases", lambda *_: chosen)
    monkeypatch.setattr(command, "flop_peak", lambda dtype: 1e9)
    monkeypatch.setitem(command.SECONDS, "full", 0.01)
    return cli.main(["bench", *map(str, words)]), *capsys.readouterr()


def test_a_benchmark_leaves_a_table_a_csv_a_json_and_a_figure(monkeypatch, capsys, tmp_path):
    mine, absent = tmp_path / "mine.py", tmp_path / "absent.py"
    mine.write_text(MINE.format("name='mine'"))
    absent.write_text(MINE.format("name='elsewhere', package='not_installed'"))
    out = tmp_path / "out"
    status, said, _ = bench(monkeypatch, capsys, "--peers", f"flax-linen,{mine},{absent}", "--out", out)
    assert status == 0
    assert "not installed: elsewhere" in said
    assert "layer T6 B2 H8 f32 backward" in said
    assert "geometric mean" in said
    rows = read_csv(out)
    assert [row["contender"] for row in rows] == ["jaxgru", "flax-linen", "mine"] * len(CASES)
    assert all(float(row["ratio"]) > 0 for row in rows)
    stored = json.loads((out / "results.json").read_text())
    assert stored["absent"] == ["elsewhere"]
    assert stored["versions"]["jax"] == jax.__version__
    assert len(stored["rows"]) == len(rows)
    assert (out / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupted_benchmark_keeps_what_it_has(monkeypatch, capsys, tmp_path):
    measured = run.rows

    def rows(case, setup):
        if case == CASES[1]:
            raise KeyboardInterrupt
        return measured(case, setup)

    monkeypatch.setattr(command, "rows", rows)
    status, _, _ = bench(monkeypatch, capsys, "--peers", "flax-linen", "--out", tmp_path)
    assert status == 130
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 3
    assert len(json.loads((tmp_path / "results.json").read_text())["rows"]) == 2
    assert (tmp_path / "figure.png").exists()


def test_a_wrong_jaxgru_is_a_failure(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(run, "ours", lambda *_, **__: altered(wrong_weights))
    status, said, _ = bench(monkeypatch, capsys, "--peers", "flax-linen", "--out", tmp_path, chosen=CASES[:1])
    assert status == 1
    assert "wrong: ys is off by" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--peers", "flux"],
            f"no peer is named flux; the peers are {KNOWN}, or the path of a .py file with PEER",
        ),
        (["--peers", "{tmp}/none.py"], "{tmp}/none.py: no such file"),
        (
            ["--peers", "{tmp}/empty.py"],
            "{tmp}/empty.py defines no PEER; see jaxgru.bench.peer.Peer for what it is",
        ),
        (["--only", "layer T5"], f"--only 'layer T5' leaves no case beside the other options; {LIKE}"),
        (["--out", "{tmp}/empty.py"], "--out {tmp}/empty.py is a file; name a folder"),
        (["--out", "{tmp}/empty.py/a"], "--out {tmp}/empty.py/a: Not a directory"),
        (["--out", "{tmp}"], "--out {tmp} is not empty; name a new folder"),
        (["--devices", "0"], "--devices must be from 1 to 256, got 0"),
        (["--devices", "4"], "--devices 4: JAX has 1 here"),
        (["--devices", "99"], "--devices 99 shares the rows of no case equally"),
        (["--quick", "--grid", "quick"], f"argument --grid: not allowed with argument --quick {HELP}"),
        (["--peers", ","], "--peers names no peer; leave it out for all of them"),
        (
            ["--peers", "flax-linen,flax-linen"],
            "two contenders are named flax-linen; a row of each needs a name of its own",
        ),
        (["--peers", "{tmp}/raises.py"], "{tmp}/raises.py does not run: ZeroDivisionError: division by zero"),
        (
            ["--peers", "{tmp}/three.py"],
            f"PEER of {{tmp}}/three.py lacks {', '.join(peers.ATTRIBUTES)}; see jaxgru.bench.peer.Peer for what it is",
        ),
        (["--dtype", "f64"], f"argument --dtype: invalid choice: 'f64' (choose from f32, bf16, both) {HELP}"),
        (["--forward", "--backward"], f"argument --backward: not allowed with argument --forward {HELP}"),
        (["layer"], f"unrecognized arguments: layer {HELP}"),
    ],
    ids=str,
)
def test_a_wrong_call_gets_one_line(words, said, tmp_path, capsys):
    jax.devices()  # so that it is too late for more of them
    (tmp_path / "empty.py").touch()
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "three.py").write_text("PEER = 3")
    words = ["--peers", "flax-linen", *words] if "--peers" not in words else words
    assert cli.main(["bench", *(word.format(tmp=tmp_path) for word in words)]) == 2
    found = capsys.readouterr().err.replace(
        "'f32', 'bf16', 'both'", "f32, bf16, both"
    )  # as Python 3.11 has it
    assert found == f"error: {said.format(tmp=tmp_path)}\n"


def test_a_batch_is_split_over_devices(tmp_path):
    words = [
        "--only",
        "layer T32 B8 H16 backward",
        "--peers",
        "flax-linen",
        "--devices",
        "2",
        "--out",
        tmp_path,
    ]
    subprocess.run(
        [sys.executable, "-m", "jaxgru", "bench", *words], check=True, cwd=Path(__file__).parents[2]
    )
    rows = read_csv(tmp_path)
    assert {row["contender"]: row["base"] for row in rows if row["ms"]} == {
        "jaxgru": "jaxgru",
        "jaxgru ×2": "jaxgru ×2",
        "flax-linen": "jaxgru",
        "flax-linen ×2": "jaxgru ×2",
    }


def test_the_summary_compares_like_with_like():
    """The fastest JAX peer on one device with jaxgru on one; anybody with jaxgru on as many as there are."""

    def row(contender, kind, devices, base, ms, ratio):
        peer = contender.partition(" ×")[0]
        case = ("layer", 32, 8, 16, 16, "f32", "forward")
        return Row(*case, contender, peer, kind, devices, base, ms=ms, ratio=ratio, low=ratio, high=ratio)

    rows = [
        row("jaxgru", "jaxgru", 1, "jaxgru", 4.0, 1.0),
        row("jaxgru ×2", "jaxgru", 2, "jaxgru ×2", 2.0, 1.0),
        row("flax", "jax", 1, "jaxgru", 6.0, 1.5),
        row("flax ×2", "jax", 2, "jaxgru ×2", 5.0, 2.5),
        row("torch", "other", 1, "jaxgru ×2", 1.0, 0.5),
        dataclasses.replace(row("wrong", "jax", 1, "jaxgru", None, None), note="wrong: …"),
    ]
    found = {who: [side.ratio for side in sides] for (_, who, _, _), sides in report.compared(rows).items()}
    assert found == {
        "flax": [1.5],
        "flax ×2": [2.5],
        "torch": [0.5],
        report.FASTEST: [1.5],
        report.ANY: [0.5],
    }
    assert report.ahead(rows).row_count == 1
