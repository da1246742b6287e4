"""Evaluation: full ranking, metrics per user, intervals and tests, alignment, cohorts, tables.

Import from the modules (`from micrec_core.evaluation.metrics import ranking_metrics`): importing
this package alone stays free of numba, so that reading stored metrics costs nothing.
"""
