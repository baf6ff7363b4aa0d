"""How a step becomes a sequence."""

from jaxgru.recurrence.select import Choice, select

__all__ = ["Choice", "select"]
