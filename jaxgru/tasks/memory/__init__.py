"""What `adding` and `copy` are made of: generated data, two networks apart in one run, learning curves."""
