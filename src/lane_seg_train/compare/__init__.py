"""What `lane-seg compare` measures: float against int8, engine by engine, each in its process."""
