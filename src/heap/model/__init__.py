"""The method itself: grouping head, losses, objects of an image, and the model that is saved."""
