"""From tables to a finished run: fit, answer, write, evaluate again."""
