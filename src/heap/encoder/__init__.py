"""Frozen encoders: which there are, where their weights come from, what they see."""
