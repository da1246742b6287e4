"""The method: templates, gate, aggregation, propagation, bridge, fold-in, explanation."""
