"""An HTTP API over finished runs: lists, reasons and new items for other programs."""
