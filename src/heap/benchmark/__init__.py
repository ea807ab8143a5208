"""How good is what was found: protocols and metrics."""
