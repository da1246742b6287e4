"""A trained model's answers to the questions of every protocol."""
