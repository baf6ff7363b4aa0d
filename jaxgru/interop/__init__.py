"""Weights of other frameworks, in and out: one file per framework, which loads when something needs it."""

from jaxgru.interop import torch

__all__ = ["torch"]
