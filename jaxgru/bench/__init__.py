"""The benchmark: `python -m jaxgru bench`, and its measurement for functions of your own."""

from jaxgru.bench.timing import Ratio, compare, measure

__all__ = ["Ratio", "compare", "measure"]
