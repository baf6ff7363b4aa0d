"""results.md: every figure of the page is one of results.json."""

from pathlib import Path
from typing import Any

import pytest

from jaxgru.results.page import HEAD, LEGEND, Side, page, verdict
from jaxgru.results.record import read_rows, spreads
from tests.results.helpers import row, run

DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = [
    {"score": 23.179, "of": None, "source": "A 2020, on news", "differs": "other texts"},
    {"score": 28.1, "of": "bleu", "source": "B 2021", "differs": "the same"},
]
ROWS = {
    "plain": row(
        run(0, 50.0, also={"test_bleu": 30.0}, machine=None),
        run(1, 52.0, also={"test_bleu": 45.0}),
        set=["model.attention=false"],
        against="translate",
        about="",
    ),
    "translate": row(run(0, 38.0), run(1, 40.0, validation=31.5, seconds=102.0), published=PUBLISHED),
}
PAGE = f"""\
{HEAD}

| row | score | test | seeds | baseline | other scores | published | minutes | parameters |
| --- | --: | --: | --: | --: | --: | --: | --: | --: |
| [plain](#plain) | perplexity ↓ | 51.00 ± 1.41 | 2 | **43.21** | bleu 37.50 ± 10.61 |  | 1.5 | 2,240,350 |
| [translate](#translate) | perplexity ↓ | 39.00 ± 1.41 | 2 | 43.21; **five gram 35.00** | bleu 40.50 ± 0.71 \
(baseline 37.00) | 23.179 (1); bleu 28.1 (2) | 1.6 | 2,240,350 |

{LEGEND}

## Published figures

1. translate: 23.179, A 2020, on news. What differs: other texts.
2. translate: bleu 28.1, B 2021. What differs: the same.

## Rows compared

The difference is that of the two means. It is called *apart* where every seed of one row is above every seed of the
other, and *overlap* where that is not so.

| row | against | score | difference | seeds |
| --- | --: | --: | --: | --: |
| plain | translate | perplexity ↓ | +12.00 | apart |
| plain | translate | bleu | -3.00 | overlap |

## plain

`python -m jaxgru train translate model.attention=false`

Data: messages, SHA-256 0e07.

| seed | test | validation | bleu | best at step | steps | minutes |
| --- | --: | --: | --: | --: | --: | --: |
| 0 | 50.00 | 30.50 | 30.00 | 80 | 100 | 1.5 |
| 1 | 52.00 | 30.50 | 45.00 | 80 | 100 | 1.5 |

## translate

Messages. `python -m jaxgru train translate`

Data: messages, SHA-256 0e07.

| seed | test | validation | bleu | best at step | steps | minutes |
| --- | --: | --: | --: | --: | --: | --: |
| 0 | 38.00 | 30.50 | 40.00 | 80 | 100 | 1.5 |
| 1 | 40.00 | 31.50 | 41.00 | 80 | 100 | 1.7 |

## Machines and versions

- A machine that was not noted; python 3.11, jax 0.10. Rows, and their seeds: plain (0).
- Z80, 2 cores, Linux, on cpu, XLA_FLAGS=x; python 3.11, jax 0.10. Rows, and their seeds: plain (1), translate (0, 1).
"""


def test_the_page_is_what_the_figures_make_of_it() -> None:
    assert page(ROWS) == PAGE


def test_the_page_in_the_documentation_is_that_of_the_figures_beside_it() -> None:
    json, markdown = DOCS / "results.json", DOCS / "results.md"
    assert json.exists() == markdown.exists()
    assert not json.exists() or markdown.read_text(encoding="utf-8") == page(read_rows(json))


def side(*tests: float, sha256: str = "0e07", **changes: Any) -> Side:
    made = row(*(run(seed, test) for seed, test in enumerate(tests)), facts={"sha256": sha256}, **changes)
    return Side("name", made, spreads(made["runs"]))


@pytest.mark.parametrize(
    ("ours", "theirs", "word"),
    [
        (side(1, 2, 3), side(4, 5, 6), "apart"),
        (side(4, 5, 6), side(1, 2, 3), "apart"),
        (side(1, 2, 3), side(3, 4, 5), "overlap"),
        (side(1, 9), side(4, 5), "overlap"),
        (side(1), side(4, 5), "too few"),
        (side(1, 2), side(4, 5, sha256="1f18"), "other data"),
    ],
)
def test_rows_are_apart_only_where_no_seed_says_otherwise(ours: Side, theirs: Side, word: str) -> None:
    assert verdict(ours, theirs, "perplexity") == word


@pytest.mark.parametrize(
    ("higher_is_better", "cell"), [(True, "**43.21**"), (False, "43.21; **five gram 35.00**")]
)
def test_a_baseline_that_is_ahead_stands_in_bold(higher_is_better: bool, cell: str) -> None:
    others = {"baseline_five_gram_perplexity": 35.0} if not higher_is_better else {}
    assert f"| {cell} |" in page({"a": row(run(0, 40.0, also=others), higher_is_better=higher_is_better)})


def test_a_baseline_belongs_to_the_score_with_the_longest_name_that_fits() -> None:
    also = {
        "test_macro_f1": 0.9,
        "baseline_macro_f1": 0.8,
        "baseline_logistic_macro_f1": 0.7,
        "baseline_tree_f1": 0.6,
    }
    made = row(run(0, 0.9, baseline=None, also=also), metric="f1")
    found = Side("name", made, spreads(made["runs"]))
    assert [(name, spread.mean) for name, spread in found.baselines("f1")] == [("tree", 0.6)]
    assert [(name, spread.mean) for name, spread in found.baselines("macro_f1")] == [
        ("", 0.8),
        ("logistic", 0.7),
    ]


def test_one_seed_has_no_deviation() -> None:
    text = page({"a": row(run(0, 40.0))})
    assert "| 40.00 | 1 |" in text
    assert "±" not in text.replace(LEGEND, "")


def test_rows_are_compared_only_where_both_are_there_and_have_one_metric() -> None:
    one, other = row(run(0, 40.0), against="b"), row(run(0, 40.0))
    assert "Rows compared" in page({"a": one, "b": other})
    assert "Rows compared" not in page({"a": one})
    assert "Rows compared" not in page({"a": one, "b": other | {"metric": "accuracy"}})
