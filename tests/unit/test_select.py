"""What AUTO picks, and that it says so."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

import jaxgru
from jaxgru import GRU, RNN, Sequential
from jaxgru.recurrence import select


@pytest.mark.parametrize(
    ("cell", "steps", "batch", "backend"),
    [
        (GRU(16, 16), 256, (8,), Sequential(save="states")),
        (GRU(16, 16), 1, (), Sequential(save="states")),
        (GRU(64, 128), 128, (32,), Sequential()),
        (RNN(64, 128), 128, (32,), Sequential()),
        (GRU(64, 64), 2048, (64,), Sequential(block=64)),
        (GRU(64, 64), 2048, (8, 8), Sequential(block=64)),
        (GRU(512, 512), 64, (128,), Sequential(block=8)),
    ],
)
def test_the_choice_follows_the_size_of_the_projected_inputs(cell, steps, batch, backend) -> None:
    assert select(cell, steps, batch).backend == backend


def test_a_block_divides_the_steps_where_it_can() -> None:
    assert select(GRU(64, 64), 2000, (64,)).backend.block == 80
    assert select(GRU(64, 64), 2003, (64,)).backend.block == 85  # a prime: the rest is a shorter block


def test_half_precision_projects_into_float32() -> None:
    whole = select(GRU(128, 128), 100, (64,)).backend
    assert whole == select(GRU(128, 128, dtype=jnp.bfloat16), 100, (64,)).backend


def test_the_reason_names_the_size() -> None:
    assert "would take 96 MiB" in select(GRU(64, 64), 2048, (64,)).reason


def test_auto_runs_what_select_says() -> None:
    cell = GRU(8, 24)
    params = cell.init(jax.random.key(0))
    xs = jnp.ones((4096, 8, 8))
    chosen = select(cell, 4096, (8,)).backend
    assert chosen.block

    def program(backend) -> str:
        return str(jax.make_jaxpr(lambda xs: jaxgru.scan(cell, params, xs, backend=backend))(xs))

    assert program(jaxgru.AUTO).replace("Auto()", repr(chosen)) == program(chosen)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda: select(jaxgru.Stack([GRU(3, 4)]), 3),
            TypeError,
            r"cell must be a cell such as GRU\(64, 128\), got Stack\(\[GRU\(3, 4\)\]\): ask for each cell in it",
        ),
        (lambda: select(GRU(3, 4), 0), ValueError, "steps must be at least 1, got 0"),
        (lambda: select(GRU(3, 4), 3, (2, -1)), ValueError, r"batch_shape\[1\] must be at least 1, got -1"),
    ],
)
def test_wrong_questions(wrong, error, message) -> None:
    with pytest.raises(error, match=f"^{message}"):
        wrong()
