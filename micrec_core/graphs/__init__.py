"""Sparse operators with fast forward and backward passes, and nearest neighbours."""
