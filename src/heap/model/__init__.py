"""The method itself: the grouping head, its losses, and the model that is saved and loaded."""
