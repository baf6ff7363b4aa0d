"""What `classify` and `speech` are made of: a model of frames, simple methods, and reports of what was told."""
