"""The made-up world behind the sample dataset: its people, its items, their words and pictures."""
