"""From tables to a finished run: everything below wired together, under the command line."""
