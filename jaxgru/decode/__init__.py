"""Sequences out of a model that takes one token at a time: greedy, drawn, or by beam search.

All of them ask one function of the model, `step(params, state, tokens) -> (state, logits)`: what was read so far
and the next token of each row in, the state after it and the logits of the token that follows out.
"""

from jaxgru.decode.beams import Beams, beam_search
from jaxgru.decode.restriction import restrict
from jaxgru.decode.writing import Decoded, greedy, sample

__all__ = ["Beams", "Decoded", "beam_search", "greedy", "restrict", "sample"]
