"""Models and variants beside each other on one split, an equal budget each."""
