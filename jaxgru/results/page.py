"""results.md: a page for people, of the figures in results.json and nothing else."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxgru.results.record import Spread, spreads
from jaxgru.training.display import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HEAD = """\
# Results

What the configs of a plan reach. `python -m jaxgru results` trains them and writes this page, of the figures in
`results.json` beside it; none of them is typed by hand."""
LEGEND = """\
- **Test**: the score on the test split, read once, with the checkpoint that the validation split chose; the mean over
  the seeds ± the standard deviation of the sample. ↑: higher is better, ↓: lower is.
- **Baseline**: simple methods on the same test split, computed in the same runs. One that is ahead of the mean stands
  in bold.
- **Published**: figures from elsewhere, explained below under the numbers in brackets.
- **Minutes**: wall time of a whole run, from reading the data to the last picture, with compiling and evaluating; the
  mean over the seeds. The machines stand at the end."""
COMPARED = """\
The difference is that of the two means. It is called *apart* where every seed of one row is above every seed of the
other, and *overlap* where that is not so."""


class Side(NamedTuple):
    """A row, its figures, and which of its scores there are besides the metric."""

    name: str
    row: Mapping[str, Any]
    found: dict[str, Spread]

    @property
    def metric(self) -> str:
        """The name of the score that decides."""
        return str(self.row["metric"])

    @property
    def others(self) -> list[str]:
        """The names of the other scores of the test split."""
        return [name.removeprefix("test_") for name in self.found if name.startswith("test_")]

    def test(self, score: str) -> Spread:
        """A score on the test split."""
        return self.found["test" if score == self.metric else f"test_{score}"]

    def baselines(self, score: str) -> list[tuple[str, Spread]]:
        """The methods that were scored beside, by name, the task's own baseline with none."""
        own = self.found.get("baseline") if score == self.metric else None
        found = [("", own)] if own else []
        for name, spread in self.found.items():
            rest = name.removeprefix("baseline")  # "_bleu", or "_logistic_accuracy"
            fitting = [each for each in (self.metric, *self.others) if rest.endswith(f"_{each}")]
            if rest != name and fitting and max(fitting, key=len) == score:
                found.append((words(rest.removesuffix(f"_{score}")).strip(), spread))
        return found


def page(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole page.

    Args:
      rows: the rows of results.json, by name.

    Returns:
      Markdown; equal for equal rows.
    """
    sides = {name: Side(name, row, spreads(row["runs"])) for name, row in rows.items()}
    notes = [(name, each) for name, row in rows.items() for each in row["published"]]
    blocks = [HEAD, overview(sides.values(), notes), LEGEND]
    if notes:
        blocks += ["## Published figures", "\n".join(map(note, range(1, len(notes) + 1), notes))]
    pairs = [(side, sides[name]) for side in sides.values() if (name := side.row["against"]) in sides]
    if pairs := [(one, other) for one, other in pairs if one.metric == other.metric]:
        blocks += ["## Rows compared", COMPARED, comparison(pairs)]
    for side in sides.values():
        blocks += section(side)
    blocks += ["## Machines and versions", machines(rows)]
    return "\n\n".join(blocks) + "\n"


def overview(sides: Iterable[Side], notes: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A line for each row."""
    lines = []
    for side in sides:
        test = side.test(side.metric)
        others = [
            f"{words(name)} {shown(side.test(name))}{bracketed(side.baselines(name))}" for name in side.others
        ]
        published = [
            f"{score_name(each)}{each['score']:g} ({i})"
            for i, (of, each) in enumerate(notes, 1)
            if of == side.name
        ]
        lines.append(
            [
                f"[{side.name}](#{side.name.lower()})",
                arrow(side),
                shown(test),
                str(len(test.values)),
                "; ".join(method(*each, bold=ahead(each[1], side)) for each in side.baselines(side.metric)),
                "; ".join(others),
                "; ".join(published),
                f"{side.found['seconds'].mean / 60:.1f}",
                f"{side.row['runs'][0]['parameters']:,}",
            ]
        )
    head = "row", "score", "test", "seeds", "baseline", "other scores", "published", "minutes", "parameters"
    return table(head, lines)


def section(side: Side) -> list[str]:
    """What a row is, and the figures of each of its seeds."""
    row, facts = side.row, side.row["facts"]
    command = shlex.join(["python", "-m", "jaxgru", "train", row["config"], *row["set"]])
    data = f"Data: {facts.get('source', 'not named')}, SHA-256 {facts.get('sha256', 'not noted')}."
    names = ["test", "validation", *(f"test_{name}" for name in side.others)]
    names = [name for name in names if name in side.found]
    lines = [
        [
            str(run["seed"]),
            *(number(side.found[name].values[i], side.found[name].mean) for name in names),
            str(run["best_step"]),
            str(run["steps"]),
            f"{run['seconds'] / 60:.1f}",
        ]
        for i, run in enumerate(row["runs"])
    ]
    titles = [words(name.removeprefix("test_")) for name in names]
    text = f"{row['about']} `{command}`".strip()
    seeds = table(("seed", *titles, "best at step", "steps", "minutes"), lines)
    return [f"## {side.name}", f"{text}\n\n{data}", seeds]


def comparison(pairs: Iterable[tuple[Side, Side]]) -> str:
    """A line for each score that two rows share."""
    lines = []
    for one, other in pairs:
        for score in [one.metric, *(name for name in one.others if name in other.others)]:
            ours, theirs = one.test(score), other.test(score)
            difference = number(ours.mean - theirs.mean, max(abs(ours.mean), abs(theirs.mean)), sign="+")
            name = arrow(one) if score == one.metric else words(score)
            lines.append([one.name, other.name, name, difference, verdict(one, other, score)])
    return table(("row", "against", "score", "difference", "seeds"), lines)


def verdict(one: Side, other: Side, score: str) -> str:
    """Whether a difference is more than the seeds'."""
    if one.row["facts"].get("sha256") != other.row["facts"].get("sha256"):
        return "other data"
    ours, theirs = one.test(score).values, other.test(score).values
    if min(len(ours), len(theirs)) < 2:
        return "too few"
    return "apart" if min(ours) > max(theirs) or max(ours) < min(theirs) else "overlap"


def machines(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """On what, and with what, which runs were made."""
    used: dict[str, dict[str, list[str]]] = {}
    for name, row in rows.items():
        for run in row["runs"]:
            key = json.dumps([run["machine"], run["versions"]])
            used.setdefault(key, {}).setdefault(name, []).append(str(run["seed"]))
    lines = []
    for key, runs in used.items():
        machine, versions = json.loads(key)
        seeds = ", ".join(f"{name} ({', '.join(each)})" for name, each in runs.items())
        packages = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(f"- {machine_words(machine)}; {packages}. Rows, and their seeds: {seeds}.")
    return "\n".join(lines)


def machine_words(machine: Mapping[str, Any] | None) -> str:
    """A machine in a line."""
    if machine is None:
        return "A machine that was not noted"
    parts = [f"{machine['cpu']}, {machine['cores']} core{'s' * (machine['cores'] != 1)}", machine["platform"]]
    parts += [f"on {', '.join(machine['devices'])}"]
    return ", ".join(parts + [f"{name}={value}" for name, value in machine["environment"].items()])


def note(place: int, noted: tuple[str, Mapping[str, Any]]) -> str:
    """A published figure, from where it is and what differs."""
    name, each = noted
    text = f"{place}. {name}: {score_name(each)}{each['score']:g}, {each['source']}."
    return f"{text} What differs: {each['differs']}."


def score_name(published: Mapping[str, Any]) -> str:
    """The name before a published figure that is not of the metric."""
    return f"{words(published['of'])} " if published["of"] else ""


def arrow(side: Side) -> str:
    """The metric, and which way is better."""
    return f"{words(side.metric)} {'↑' if side.row['higher_is_better'] else '↓'}"


def ahead(baseline: Spread, side: Side) -> bool:
    """Whether a baseline is better than the row."""
    difference = baseline.mean - side.test(side.metric).mean
    return difference > 0 if side.row["higher_is_better"] else difference < 0


def method(name: str, spread: Spread, *, bold: bool = False) -> str:
    """A baseline's name and figure; its deviation where it has one."""
    figure = shown(spread) if spread.deviation else number(spread.mean)
    text = f"{name} {figure}".strip()
    return f"**{text}**" if bold else text


def bracketed(baselines: Iterable[tuple[str, Spread]]) -> str:
    """The baselines of a score, in brackets behind it."""
    text = ", ".join(method(*each) for each in baselines)
    return f" (baseline {text})" if text else ""


def shown(spread: Spread) -> str:
    """Mean and deviation, with digits for the mean."""
    if spread.deviation is None:
        return number(spread.mean)
    return f"{number(spread.mean)} ± {number(spread.deviation, spread.mean)}"


def number(value: float, like: float | None = None, sign: str = "") -> str:
    """A number with the digits that a number like another one needs.

    Example:
      >>> number(0.971), number(37.8691), number(0.25, like=37.8691), number(1125.05, sign="+")
      ('0.9710', '37.87', '0.25', '+1125')
      >>> number(0.000046), number(0)
      ('0.000046', '0.0000')
    """
    size = abs(value if like is None else like)
    digits = 4 if size < 10 else 2 if size < 1000 else 0
    if 0 < size < 0.01:
        digits = 6
    return f"{value:{sign}.{digits}f}"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left."""
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))
