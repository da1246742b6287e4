"""Results and reports: documents and files made from stored runs."""
