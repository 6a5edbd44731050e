"""Home of the offline TensorRT engine builder, benchmark and comparison; no module here yet."""
