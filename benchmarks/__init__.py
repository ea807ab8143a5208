"""What the project claims, measured: one script for each claim, see README.md."""
