"""Patch features of pictures, their store on disk, and hand-made channels beside them."""
