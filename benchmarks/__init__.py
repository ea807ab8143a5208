"""Measurements of what the project claims: one study for each claim, see README.md."""
