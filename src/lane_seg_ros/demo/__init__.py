"""See it work: `lane-seg demo` starts camera and node, listens, measures, films.

`command` is the command line, `session` the order of events: `processes` starts and ends the nodes,
`recorder` listens, `pictures` draws and scores, `report` says what was found.
"""
