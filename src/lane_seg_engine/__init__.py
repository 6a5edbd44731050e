"""Offline TensorRT tools: check a graph, build a plan from a bundle, tell what is in a plan."""
