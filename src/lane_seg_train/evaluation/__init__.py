"""What `lane-seg evaluate` measures, and how it shows and keeps it."""
