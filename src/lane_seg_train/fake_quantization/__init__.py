"""A network that rounds as its int8 file will: where, to which scales, and back to float."""
