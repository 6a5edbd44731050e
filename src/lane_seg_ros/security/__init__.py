"""What a node of ours may do, as an SROS 2 policy (see docs/security.md)."""
