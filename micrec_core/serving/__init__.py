"""The recommender: fold-in for anyone, top-k lists and exact explanations."""
