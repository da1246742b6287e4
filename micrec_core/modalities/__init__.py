"""The modalities, their encoders, and features of a dataset by a content-hashed cache."""
