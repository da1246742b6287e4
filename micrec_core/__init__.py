"""MICRec Explorer: an inductive, cross-domain, multimodal recommender one can see into."""

__version__ = "0.1.0"
