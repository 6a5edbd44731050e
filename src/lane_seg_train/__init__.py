"""Offline training: datasets -> train -> quantize -> export -> models/<name>/. Uses torch."""
