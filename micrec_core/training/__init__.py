"""Losses, sampling, the trainer, checkpoints and background jobs."""
