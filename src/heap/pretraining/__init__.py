"""Self-supervised pretraining of an encoder on the user's own images."""
