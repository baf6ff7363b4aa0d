"""Configs as files: strict TOML in, TOML out, and `section.key=value` overrides.

What a file leaves out has its default; what it misspells, mistypes or sets to an impossible value is refused,
by file, line and name.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgru.training.config import Config, Key, build, check, flat, flatten, keys, lookup
from jaxgru.training.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jaxgru.training.task import Task


def locate(config: str) -> Path:
    """The file of a CONFIG argument: a path to a TOML file, or the name of one that jaxgru brings."""
    if config.endswith(".toml"):
        return Path(config)
    package = Path(__file__).parents[1]
    folder = next(f for f in (package / "configs", package.parent / "configs") if f.is_dir())
    short, long = ({path.stem: path for path in folder.glob(f"{of}*.toml")} for of in ("", "long/"))
    known = long | {f"long/{name}": path for name, path in long.items()} | short
    if "/" in config and config not in known:
        return Path(config)
    if config not in known:
        near = difflib.get_close_matches(config, known, n=1) or sorted(short)
        raise UserError(f"no config is named {config}; did you mean {near[0]}? A file's name ends in .toml")
    return known[config]


def read(path: Path, overrides: Iterable[str], find: Callable[[str], type[Task]]) -> Config:
    """Reads a TOML file and `section.key=value` overrides into a checked `Config`.

    Args:
      path: the file.
      overrides: assignments that win over the file; their values are TOML, words need no quotes.
      find: gives the task class of a name.

    Raises:
      UserError: names the file, the line and the key of what is wrong, and the nearest known key.
    """
    text, table = parse(path)
    assigned = dict(split(assignment) for assignment in overrides)
    name = assigned.get("task", table.get("task"))
    if not isinstance(name, str):
        raise UserError(f'{path}: no task is named; add a first line such as task = "chars"')
    task = find(name)
    known = keys(task)
    values = {}
    for key, value in flatten(table):
        where = f"{path}:{line_of(text, key)}: "
        values[key] = check(key, value, lookup(key, known, where), where)
    for key, word in assigned.items():
        values[key] = check(key, from_word(word, lookup(key, known)), known[key])
    return build(values, task)


def parse(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and the table it holds."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe could wait for ever
            raise UserError(f"{path}: not a regular file")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a TOML file: {error}") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).partition(" (at ")
        found = re.match(r"line (\d+)", where)
        line = int(found[1]) if found else len(text.splitlines())
        raise UserError(f"{path}:{line}: {what}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a TOML file: {error}") from error


def line_of(text: str, key: str) -> int:
    """The line that sets `key`, for a message; 1 where it is written in a way we do not follow."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            section = header[1].strip() + "."
            if section == key + ".":
                return number
        elif (name := re.match(r"\s*([\w.\"' -]+?)\s*=", line)) and section + name[1].strip("\"'") == key:
            return number
    return 1


def split(assignment: str) -> tuple[str, str]:
    """`key=value` as a pair of words."""
    key, equals, word = assignment.partition("=")
    if not equals:
        raise UserError(f"{assignment!r} is no override; write section.key=value, such as train.steps=300")
    return key.strip(), word.strip()


def from_word(word: str, key: Key) -> Any:
    """The value of an override: TOML, but where a string is expected a bare word is one."""
    if key.type is str and word[:1] not in ('"', "'"):
        return word
    try:
        table = tomllib.loads(f"value = {word}")
    except (ValueError, RecursionError):
        return word
    return table["value"] if len(table) == 1 else word


def to_toml(config: Config) -> str:
    """The config as a TOML file that `read` turns into an equal one."""
    lines: list[str] = []
    section = ""
    for name, value in flat(config).items():
        table, _, key = name.rpartition(".")
        if table != section:
            lines.append(f"\n[{table}]")
            section = table
        lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines) + "\n"


def toml_value(value: bool | float | str | Sequence[Any]) -> str:
    """One value as TOML writes it. JSON's strings are TOML's, but for DEL."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
