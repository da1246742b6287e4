"""Background trainings in capped processes of their own."""
