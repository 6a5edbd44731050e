"""Make a float checkpoint int8: ranges, training with rounding, and what it costs."""
