"""How a step becomes a sequence."""
