"""The plan: what stands in ours, and what is refused of any."""

from pathlib import Path

import pytest

from jaxgru.results.plan import default_plan, read_plan
from jaxgru.tasks import find
from jaxgru.training.configfile import locate, read
from jaxgru.training.errors import UserError


def test_every_row_of_our_plan_can_be_trained() -> None:
    for name, row in read_plan(default_plan()).items():
        assert read(locate(row["config"]), row["set"], find).task, name
        assert row["seeds"] == (1 if name == "compare" else 3)  # which has its seeds within
        assert row["about"].endswith(".")


def test_no_published_figure_lacks_its_source() -> None:
    for name, row in read_plan(default_plan()).items():
        for each in row["published"]:
            assert each["source"], name
            assert each["differs"], name


def test_what_a_row_leaves_out_is_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('[chars]\npublished = [{score = 1, source = "A", differs = "b"}]')
    row = {"config": "chars", "about": "", "set": [], "seeds": 3, "against": None}
    published = [{"score": 1, "source": "A", "differs": "b", "of": None}]
    assert read_plan(path) == {"chars": row | {"published": published}}


MISTAKES = {
    "": ": no row is planned; write one such as [chars]",
    "[chars": ":1: Expected ']' at the end of a table declaration",
    "chars = 3": ": row chars: it should be a table, [chars]",
    '["a/b"]': ": row a/b: its name becomes a folder's, and has letters, digits, - and _ only",
    "[chars]\nsed = 3": ": row chars: unknown key sed; did you mean seeds?",
    "[chars]\nzzz = 3": ": row chars: unknown key zzz; there are config, about, set, against, published, seeds",
    "[chars]\nseeds = 0": ": row chars: seeds should be a whole number from 1 to 1000",
    "[chars]\nseeds = 1000000000": ": row chars: seeds should be a whole number from 1 to 1000",
    "[chars]\nseeds = true": ": row chars: seeds should be a whole number from 1 to 1000",
    "[chars]\nseeds = 2.0": ": row chars: seeds should be a whole number from 1 to 1000",
    '[chars]\nconfig = "a\\u0000.toml"': ": row chars: config and set cannot hold NUL",
    '[chars]\nset = ["data.path=\\u0000"]': ": row chars: config and set cannot hold NUL",
    '[chars]\nset = "a=b"': ": row chars: set should be a list of strings",
    '[chars]\nset = ["dropout"]': ": row chars: set holds 'dropout'; write section.key=value",
    '[chars]\nset = ["seed=3"]': ": row chars: set holds 'seed=3'; each run is given its own",
    '[chars]\nagainst = "words"': ": row chars: against is 'words'; the other rows are none",
    '[chars]\nagainst = "chars"\n[b]': ": row chars: against is 'chars'; the other rows are b",
    "[chars]\npublished = [1]": ": row chars: published should be a list of objects",
    "[chars]\npublished = [{score = 1}]": ": row chars: published: source is missing",
    "[chars]\npublished = [{sore = 1}]": ": row chars: published: unknown key sore; did you mean score?",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        read_plan(path)
    assert str(raised.value) == f"{path}{MISTAKES[text]}"
