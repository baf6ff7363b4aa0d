"""What `music` is made of: a model of piano rolls, four voices out of its odds, a Markov model, pictures."""
