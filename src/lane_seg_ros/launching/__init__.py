"""What the launch files share: their arguments, the checks of them, and the actions they start."""
