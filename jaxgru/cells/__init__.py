"""One recurrence per file, each a frozen value with the four verbs of `base.Cell`."""
