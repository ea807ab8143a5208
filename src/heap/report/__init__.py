"""What a run shows and hands on: pictures, a gallery, and files for other tools."""
