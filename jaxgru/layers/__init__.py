"""Compositions of cells and of other compositions, devices around cells, and heads."""

from jaxgru.layers import pooling

__all__ = ["pooling"]
