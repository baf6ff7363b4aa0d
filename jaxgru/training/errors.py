"""What a run says when it cannot go on: one line, and the exit status that belongs to it."""

from __future__ import annotations

import sys


def warn(message: str) -> None:
    """Says loudly what a run survives."""
    sys.stderr.write(f"warning: {message}\n")


class UserError(Exception):
    """Something the person at the command line can mend: one line, exit status 2."""

    exit_status = 2


class RunError(Exception):
    """A run that began well and could not go on (a loss that is not finite, a full disk): exit status 1."""

    exit_status = 1


class Interrupted(BaseException):
    """SIGTERM or Ctrl-C: the run was saved, exit status 128 + the signal's number.

    Not an `Exception`, like KeyboardInterrupt, so that nothing on the way takes it for a fault.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_status = 128 + signal_number
