"""A look inside a model: what its cells did over a sequence, and what their derivative says."""

from jaxgru.probe.gates import Gate, Gates, gates
from jaxgru.probe.gradient_flow import GradientFlow, gradient_flow
from jaxgru.probe.jacobians import jacobians
from jaxgru.probe.memory import Reach, memory
from jaxgru.probe.record import Record, record
from jaxgru.probe.spectrum import Spectrum, spectrum

__all__ = [
    "Gate",
    "Gates",
    "GradientFlow",
    "Reach",
    "Record",
    "Spectrum",
    "gates",
    "gradient_flow",
    "jacobians",
    "memory",
    "record",
    "spectrum",
]
