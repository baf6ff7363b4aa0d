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
cell = jaxgru.GRU(3, 8)
params = cell.init(jax.random.key(0))
xs = jax.random.normal(jax.random.key(1), (6, 4, 3))

def loss(params, xs):
    return jnp.sum(jaxgru.scan(cell, params, xs)[1] ** 2)

gradient = jax.jit(jax.grad(loss))
shared = NamedSharding(mesh, PartitionSpec(None, "batch"))
placed = jax.device_put(params, NamedSharding(mesh, PartitionSpec())), jax.device_put(xs, shared)
text = gradient.lower(*placed).compile().as_text()
found = {name: len(re.findall(rf"{name}(?:-start)?\\(", text)) for name in ("all-gather", "all-to-all", "all-reduce")}
found["loops"] = len(re.findall(r"while\\(", text))
inside = [body for body in text.split("\\n\\n") if "all-reduce" in body and not body.lstrip().startswith("ENTRY")]
found["inside"] = sum("all-reduce(" in body for body in inside)
one, both = gradient(params, xs), gradient(*placed)
found["worst"] = max(float(jnp.abs(a - b).max()) for a, b in zip(one, both))
print(json.dumps(found))
"""


def test_a_shared_batch_moves_no_inputs() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert found["all-gather"] == found["all-to-all"] == 0
    assert found["loops"] == 2
    assert found["all-reduce"] >= 1
    assert found["inside"] == 0
    assert found["worst"] < 1e-5
