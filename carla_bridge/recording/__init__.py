"""A recording on disk: the plan it follows, the drives of the plan, the frames that are written.

`plan` says what is wanted, `sweep` makes drives of it, `blocks` gives each place to a split,
`recording` writes frames whole and knows which are there.
"""
