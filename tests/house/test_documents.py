"""Every Python block in the documentation runs, and shows what it says it shows."""

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cases import CELLS
from tests.leaky import Leaky

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(text: str, name: str) -> None:
    """Run a page's blocks in order, in one namespace; a block with prompts is a doctest."""
    namespace: dict[str, Any] = {"__name__": name}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        if ">>>" in block[1]:
            examples = doctest.DocTestParser().get_doctest(block[1], namespace, name, name, line)
            runner = doctest.DebugRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(examples, clear_globs=False)
            namespace |= examples.globs
        else:
            exec(compile("\n" * line + block[1], name, "exec"), namespace)  # noqa: S102


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    if "import torch" in text:
        pytest.importorskip("torch", reason='needs PyTorch: pip install -e ".[interop]"')
    monkeypatch.chdir(tmp_path)
    run(text, page.name)


def test_a_wrong_output_is_noticed() -> None:
    with pytest.raises(doctest.DocTestFailure):
        run("```python\n>>> 1 + 1\n3\n```\n", "wrong")


def test_a_later_block_sees_an_earlier_one() -> None:
    blocks = ["x = 2", ">>> x\n2\n>>> y = 3", "assert y == 3"]
    run("and\n".join(f"```python\n{block}\n```\n" for block in blocks), "right")


def test_the_cell_to_copy_is_the_one_that_the_laws_hold() -> None:
    """What CONTRIBUTING.md shows is, word for word, a cell of the tests' table."""
    source = (ROOT / "tests" / "leaky.py").read_text(encoding="utf-8")
    _, cell = source.split("\n\n\n", 1)
    cell, _ = cell.split("\n\n\ndef leaky_step", 1)
    assert cell in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert isinstance(CELLS["leaky"].cell, Leaky)
