"""Data: where it comes from, how it is split, and which part of it a training step sees."""

from jaxgru.data.buckets import Buckets
from jaxgru.data.compilations import Compilations
from jaxgru.data.fetching import fetch
from jaxgru.data.packs import Packs
from jaxgru.data.padding import Batch

__all__ = ["Batch", "Buckets", "Compilations", "DataError", "Packs", "fetch"]


class DataError(ValueError):
    """A source that cannot be used; the message is one line that names it and what is wrong with it."""
