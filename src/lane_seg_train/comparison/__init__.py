"""Several networks under one harness: the same data, budget, validation and stop-watch."""
