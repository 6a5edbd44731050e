"""Measure a running node by listening to its topics: IoU, latency, losses.

`lane-seg demo` and `carla-bridge evaluate` are made of it: `recorder` listens, `labels` reads true
labels, `score` compares, `measurement` says what was found, `album` and `film` keep pictures, and
`charts`, `pictures`, `tables` and `page` show it all.
"""
