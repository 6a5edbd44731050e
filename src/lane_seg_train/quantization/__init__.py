"""int8 in PyTorch: where values are rounded, to which scales, and what that costs."""
