"""What a run leaves to look at: curves, snapshots of predictions, one page that holds it all."""
