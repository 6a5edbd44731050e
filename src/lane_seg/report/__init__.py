"""What our reports share: the page and its parts, colours and type of the charts."""
