"""A training run: order of the images, batches, task, and what happens between the steps."""
