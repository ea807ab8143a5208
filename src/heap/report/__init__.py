"""Pictures of what was found: overlays, region maps and outlines."""
