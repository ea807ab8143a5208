"""HEAP: finds the objects in unlabelled images."""
