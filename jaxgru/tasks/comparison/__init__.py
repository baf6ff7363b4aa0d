"""What `compare` is made of: which runs there are, what they show together, its table and its figure."""
