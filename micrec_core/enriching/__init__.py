"""Descriptions written by a language model where a catalogue says little: asked, judged, kept."""
