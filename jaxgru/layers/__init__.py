"""Compositions of cells and of other compositions, devices around cells, and heads."""

from jaxgru.layers import attention, pooling

__all__ = ["attention", "pooling"]
