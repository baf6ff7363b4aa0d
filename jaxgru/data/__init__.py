"""Data: where it comes from, how it is split, and which part of it a training step sees."""


class DataError(ValueError):
    """A source that cannot be used; the message is one line that names it and what is wrong with it."""
