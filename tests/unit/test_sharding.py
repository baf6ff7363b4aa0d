"""A batch that a mesh shares, left to the partitioner: nothing is gathered, and only weights' gradients cross."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import json, re
import jax, jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
import jaxgru

jax.config.update("jax_num_cpu_devices", 2)
mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
shared = NamedSharding(mesh, PartitionSpec(None, "batch"))

def facts(cell):
    params = cell.init(jax.random.key(0))
    xs = jax.random.normal(jax.random.key(1), (6, 4, *cell.spatial_shape, 3))

    def loss(params, xs):
        return jnp.sum(jaxgru.scan(cell, params, xs)[1] ** 2)

    gradient = jax.jit(jax.grad(loss))
    placed = jax.device_put(params, NamedSharding(mesh, PartitionSpec())), jax.device_put(xs, shared)
    text = gradient.lower(*placed).compile().as_text()
    words = ("all-gather", "all-to-all", "all-reduce")
    found = {name: len(re.findall(rf"{name}(?:-start)?\\(", text)) for name in words}
    found["loops"] = len(re.findall(r"while\\(", text))
    inside = [body for body in text.split("\\n\\n") if "all-reduce" in body and not body.lstrip().startswith("ENTRY")]
    found["inside"] = sum("all-reduce(" in body for body in inside)
    one, both = gradient(params, xs), gradient(*placed)
    found["worst"] = max(float(jnp.abs(a - b).max()) for a, b in zip(*map(jax.tree.leaves, (one, both))))
    return found

def mapped():
    # Only the key, and only the resets, differ from device to device.
    noisy, plain = jaxgru.Zoneout(jaxgru.DropConnect(jaxgru.GRU(3, 4), 0.5), 0.2), jaxgru.GRU(3, 4)
    params, xs = plain.init(jax.random.key(0)), jnp.ones((5, 2, 3))
    split = PartitionSpec("batch")
    keys = jax.random.split(jax.random.key(1), 2)
    resets = jnp.zeros((2, 5, 2), bool).at[1, 3].set(True)
    runs = [
        (lambda key: jaxgru.scan(noisy, params, xs, key=key)[1], keys),
        (lambda marks: jaxgru.scan(plain, params, xs, resets=marks)[1], resets),
    ]
    worst = 0.0
    for run, over in runs:
        got = jax.shard_map(lambda one: run(one[0])[None], mesh=mesh, in_specs=split, out_specs=split)(over)
        worst = max(worst, float(jnp.abs(got - jax.vmap(run)(over)).max()))
    return worst

cells = [
    jaxgru.GRU(3, 8),
    jaxgru.LSTM(3, 8, projection=4),
    jaxgru.ConvGRU(3, 8, spatial_shape=(4, 4)),
    jaxgru.LayerNorm(jaxgru.GRU(3, 8)),
]
print(json.dumps([mapped(), *map(facts, cells)]))
"""


def test_a_shared_batch_moves_no_inputs() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    mapped, *cells = json.loads(run.stdout)
    assert mapped < 1e-6
    assert [found["loops"] for found in cells] == [2, 2, 2, 3]  # one more for a derivative not stated by hand
    for found in cells:
        assert found["all-gather"] == found["all-to-all"] == 0
        assert found["all-reduce"] >= 1
        assert found["inside"] == 0
        assert found["worst"] < 1e-4
