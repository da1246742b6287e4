"""Background trainings and checks of tables, in capped processes of their own."""
