"""Other methods on the same features: baselines, and signals that orient the head."""
