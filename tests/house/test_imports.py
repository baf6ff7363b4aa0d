"""Imports go one way through the house, and importing the library loads nothing heavy."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "jaxgru"
FLOORS = [
    ["checks", "reference"],
    ["cells"],
    ["recurrence"],
    ["layers"],
    ["probe", "stream", "decode", "nn", "interop", "data", "weights"],
    ["training", "tasks"],
    ["arguments", "bench", "cli", "data_command", "results"],
    ["__init__", "__main__"],
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(LIBRARY.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(LIBRARY).with_suffix("").parts[0]


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """The rooms of the house that a module imports from, anywhere in it, each with its line."""
    package = ("jaxgru", *path.relative_to(LIBRARY).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) + 1 - node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "jaxgru":
                room = target[1] if len(target) > 1 and target[1] in FLOOR else "__init__"
                yield node.lineno, room


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_floor(path: Path) -> None:
    assert room_of(path) in FLOOR, f"{name_of(path)}: say in FLOORS where {room_of(path)} stands"


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) != "__init__"], ids=name_of)
def test_imports_go_only_downwards(path: Path) -> None:
    upwards = [
        f"{name_of(path)}:{line} imports {room}"
        for line, room in imported_rooms(path)
        if FLOOR[room] > FLOOR[room_of(path)]
    ]
    assert not upwards


SHARED = {"__init__", "base", "dense", "gated", "initializers"}  # what cells are made of


@pytest.mark.parametrize("path", sorted((LIBRARY / "cells").glob("*.py")), ids=name_of)
def test_no_cell_imports_another(path: Path) -> None:
    """A cell's file is all there is of it; what cells share does not know them."""
    modules = {
        node.module.split(".")[2]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxgru.cells.")
    }
    assert modules <= SHARED


def test_an_upward_import_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "LIBRARY", tmp_path)
    module = tmp_path / "cells" / "gru.py"
    module.parent.mkdir()
    module.write_text(
        "from ..recurrence import scan\nimport jaxgru.nn.linen\ndef f():\n  from jaxgru import cli\n"
    )
    assert sorted(imported_rooms(module)) == [(1, "recurrence"), (2, "nn"), (4, "cli")]


def test_importing_the_library_loads_nothing_heavy() -> None:
    """Flax, optax, PyTorch and matplotlib load when something needs them."""
    program = "import sys, jaxgru; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert "jaxgru" in loaded
    assert not {"flax", "matplotlib", "optax", "rich", "torch"} & set(loaded)


def test_importing_the_library_leaves_jax_as_it_was() -> None:
    # What JAX loads on the way may define options of its own: those are not ours.
    program = (
        "import jax; old = dict(jax.config.values); import jaxgru; "
        "new = jax.config.values; assert old.items() <= new.items()"
    )
    subprocess.check_call([sys.executable, "-c", program])
