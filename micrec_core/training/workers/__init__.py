"""One training over several processes: rows of the tables live on one of them each."""
