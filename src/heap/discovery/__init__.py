"""`heap discover`: from a folder of images to a run with objects, pictures and a gallery."""
