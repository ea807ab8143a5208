"""Categories of the objects of a run: making them, correcting them, and who is rejected."""
