"""What `chars` and `words` are made of: a language model over one text, n-grams, and a picture of surprise."""
