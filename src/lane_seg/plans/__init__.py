"""TensorRT plans as files: which library and GPU they fit, and which one of them runs here."""
