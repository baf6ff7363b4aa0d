"""What `classify`, `speech` and `digits` are made of: models, simple methods, and reports of what was told."""
