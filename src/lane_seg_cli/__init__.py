"""The `lane-seg` command: a thin table on top of the other packages."""
