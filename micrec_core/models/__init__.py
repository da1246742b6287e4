"""MICRec, its variants and the baselines: pure modules that know tensors only."""
