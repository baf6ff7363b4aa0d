"""Jacobians are those of a step; spectrum and memory are what NumPy makes of them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgru import GRU, LSTM, RNN, DropConnect, VariationalDropout, Zoneout, scan
from jaxgru.probe import Reach, Record, jacobians, memory, record, spectrum
from jaxgru.probe.jacobians import euclidean
from tests.cases import CELLS, Case, assert_close, quick_jit
from tests.probe.helpers import SHARP, drawn, flat

T, LENGTHS = 5, np.array([5, 3, 0])


def probed(
    cell: Any, batch: tuple[int, ...] = (3,), threshold: float = 0.3, **options: Any
) -> tuple[Record, np.ndarray, Reach]:
    """A record with its Jacobians and its memory, from a state that is not zero."""

    def run(params: Any, xs: Any, options: Any) -> Any:
        h0 = jax.tree.map(lambda s: s + 0.1, cell.initial_state(batch, params))
        (of_cell,) = record(cell, params, xs, h0, **options, **static)
        return of_cell, jacobians(of_cell), memory(of_cell, threshold)

    static = {name: options.pop(name) for name in ("reverse", "truncate") if name in options}
    of_cell, a, found = quick_jit(run)(*drawn(cell, T, batch), options)
    return of_cell, np.asarray(a), found


def products(of_cell: Record, a: np.ndarray, row: Any) -> list[np.ndarray]:
    """∂h_T/∂h_{T−k} of a row for k = 0 … its length, by NumPy."""
    found = [np.eye(a.shape[-1])]
    steps = np.flatnonzero(np.asarray(of_cell.valid)[:, row])
    for t in steps if of_cell.reverse else steps[::-1]:
        found.append(found[-1] @ a[t, row])
    return found


@pytest.mark.parametrize("name", CELLS)
def test_a_jacobian_is_that_of_the_step(name: str, x64: None) -> None:
    case = Case(name, name)
    cell, (params, xs, h0, _) = case.model, case.data(batch=(2,), steps=2)

    def both(params: Any, xs: Any, h0: Any) -> tuple[Any, Any]:
        (of_cell,) = record(cell, params, xs, h0)

        def step(h: Any, x: Any) -> Any:
            parts: list[Any] = list(jnp.split(h, np.cumsum([s.size for s in rows])[:-1]))
            parts = [part.reshape(s.shape) for part, s in zip(parts, rows, strict=True)]
            return flat(cell.step(params, jax.tree.unflatten(structure, parts), x)[0])

        rows, structure = jax.tree.flatten(of_cell.row)
        want = jax.vmap(jax.vmap(jax.jacobian(step)))(flat(of_cell.prev, 2), xs)
        return jacobians(of_cell), want

    got, want = quick_jit(both)(params, xs, h0)
    assert_close(got, want, SHARP)


@pytest.mark.parametrize(
    ("cell", "reverse"), [(GRU(3, 2), False), (LSTM(3, 2), False), (LSTM(3, 2), True)], ids=str
)
def test_padding_is_the_identity_and_resets_and_truncation_are_zero(
    cell: Any, reverse: bool, x64: None
) -> None:
    resets = jnp.asarray(np.arange(T)[:, None] == np.full(3, 1))
    _, a, _ = probed(cell, lengths=jnp.asarray(LENGTHS), resets=resets, reverse=reverse, truncate=3)
    cut = (1, 0) if reverse else (3, 0)  # the fourth step processed, in the row that has so many
    for t, row in np.ndindex(T, 3):
        if t >= LENGTHS[row]:
            np.testing.assert_array_equal(a[t, row], np.eye(a.shape[-1]))
        else:
            assert a[t, row].any() == (t != 1 and (t, row) != cut)


def test_their_product_is_the_derivative_of_the_scan_with_noise_in_reverse(x64: None) -> None:
    cell = Zoneout(DropConnect(VariationalDropout(LSTM(3, 2), input=0.5, state=0.5), 0.5), 0.5)
    params, xs = drawn(cell, T, (3,))
    options: Any = {"lengths": jnp.asarray(LENGTHS), "key": jax.random.key(2)}
    h0 = jax.tree.map(lambda s: s + 0.1, cell.initial_state((3,), params))

    @quick_jit
    def whole(h0: Any) -> Any:
        return jax.jacobian(lambda h: scan(cell, params, xs, h, **options, reverse=True)[0])(h0)

    blocks = [np.asarray(block) for block in jax.tree.leaves(whole(h0))]
    of_cell, a, _ = probed(cell, reverse=True, **options)
    for row in range(3):
        want = np.block([[blocks[2 * i + j][row, :, row] for j in range(2)] for i in range(2)])
        assert_close(products(of_cell, a, row)[-1], want, SHARP)


def test_spectrum_is_that_of_numpy(x64: None) -> None:
    of_cell, a, _ = probed(LSTM(3, 2), lengths=jnp.asarray(LENGTHS))
    found = spectrum(of_cell)
    assert found.label == "0: LSTM(3, 2)"
    for t, row in np.ndindex(T, 3):
        if t < LENGTHS[row]:
            norm, radius = (
                np.sqrt(np.linalg.eigvalsh(a[t, row].T @ a[t, row])[-1]),
                np.linalg.eigvals(a[t, row]),
            )
            assert_close((found.norm[t, row], found.radius[t, row]), (norm, max(abs(radius))), SHARP)
        else:
            assert np.isnan(found.norm[t, row])
            assert np.isnan(found.radius[t, row])


@pytest.mark.parametrize("cell", [GRU(3, 2, update="writes"), LSTM(3, 2, projection=1)], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_memory_is_the_product_of_the_jacobians(cell: Any, reverse: bool, x64: None) -> None:
    of_cell, a, found = probed(cell, threshold=0.3, lengths=jnp.asarray(LENGTHS), reverse=reverse)
    assert found.threshold == 0.3
    assert found.norm.shape == (T + 1, 3)
    for row, length in enumerate(LENGTHS):
        want = np.array([np.linalg.norm(p) / np.sqrt(len(p)) for p in products(of_cell, a, row)])
        assert_close(np.asarray(found.norm)[: length + 1, row], want, SHARP)
        assert np.isnan(np.asarray(found.norm)[length + 1 :, row]).all()
        assert found.length[row] == (np.argmax(want < 0.3) if (want < 0.3).any() else np.inf)


@pytest.mark.parametrize(("cell", "gate"), [(GRU(3, 2), "update"), (LSTM(3, 2), "forget")], ids=str)
def test_kept_is_the_product_of_the_gates(cell: Any, gate: str, x64: None) -> None:
    resets = jnp.asarray(np.arange(T)[:, None] == np.array([1, -1, -1]))
    of_cell, _, found = probed(cell, lengths=jnp.asarray(LENGTHS), resets=resets)
    kept = np.asarray(found.kept)
    z = np.where(resets[..., None], 0, of_cell.gates[gate])
    for row, length in enumerate(LENGTHS):
        products_of_z = np.cumprod(z[:length, row][::-1], 0)
        want = np.concatenate([[1.0], np.sqrt(np.mean(products_of_z**2, 1))])
        assert_close(kept[: length + 1, row], want, SHARP)
        assert np.isnan(kept[length + 1 :, row]).all()


def test_a_cell_without_such_a_gate_has_no_product_of_them() -> None:
    for cell in (RNN(3, 2), Zoneout(GRU(3, 2), 0.5)):
        params, xs = drawn(cell, T)
        found = jax.eval_shape(lambda cell=cell, p=params, xs=xs: memory(record(cell, p, xs)[0]))
        assert found.norm.shape == (T + 1, 2)
        assert found.kept is None


def test_memory_does_not_underflow_before_its_numbers_do() -> None:
    """A square of 1e-30 would be zero in float32."""
    cell = RNN(3, 2, bias=False)
    params, xs = drawn(cell, 9, ())
    (of_cell,) = record(cell, jax.tree.map(lambda w: np.float32(1e-3) * w, params), xs)
    norm = np.asarray(memory(of_cell).norm)
    assert norm[9] < 1e-25
    assert (norm > 0).all()


def test_a_norm_knows_zero_infinity_and_what_is_no_number() -> None:
    rows = jnp.array(
        [[0, 0], [3e30, 4e30], [3e-30, -4e-30], [1, 3e38], [1, np.inf], [1, np.nan]], jnp.float32
    )
    np.testing.assert_allclose(euclidean(rows, 1), [0, 5e30, 5e-30, 3e38, np.inf, np.nan], rtol=1e-6)
    np.testing.assert_allclose(euclidean(rows[None, :3], 2), [5e30], rtol=1e-6)


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_any_batch_axes(batch: tuple[int, ...], x64: None) -> None:
    cell = LSTM(3, 2)
    of_cell, a, found = probed(cell, batch)
    assert of_cell.batch_shape == batch
    assert found.length.shape == spectrum(of_cell).norm.shape[1:] == batch
    for row in np.ndindex(batch):
        want = np.eye(4)
        for t in range(T)[::-1]:
            want = want @ a[(t, *row)]
        assert_close(np.asarray(found.norm)[(T, *row)], np.linalg.norm(want) / 2, SHARP)


def test_half_precision() -> None:
    (_, a, found), (_, b, rough) = (probed(GRU(3, 4, dtype=dtype)) for dtype in (None, jnp.bfloat16))
    assert b.dtype == np.float32
    assert_close(b, a, 0.02)
    assert_close(rough.norm, found.norm, 0.02)


def test_a_traced_record_has_no_spectrum() -> None:
    with pytest.raises(TypeError) as caught:
        jax.eval_shape(lambda: spectrum(record(GRU(3, 2), *drawn(GRU(3, 2), T))[0]).norm)
    assert str(caught.value) == (
        "record is traced, and eigenvalues are computed on the host: call spectrum outside jit"
    )
