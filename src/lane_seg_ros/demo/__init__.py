"""See it work: `lane-seg demo` starts a world and the node, listens, measures, films.

`command` is the command line, `session` the order of events: `processes` starts and ends what
runs, `sources` says what the camera sees, `report` writes what was found. The measuring itself is
`lane_seg_ros.live`.
"""
