"""Measurements of what the project claims: one script for each claim, see README.md."""
