"""Compositions of cells and of other compositions."""
