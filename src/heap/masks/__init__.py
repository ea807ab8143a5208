"""Masks in plain NumPy: outlines, boxes, sizes, colours, and refinement along image edges."""
