"""Look at data sets before training: faults, numbers, pictures, ready-made files."""
