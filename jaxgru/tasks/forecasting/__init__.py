"""What `forecast` is made of: windows and their scales, a model of a horizon, classical methods, reports."""
