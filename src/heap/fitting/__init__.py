"""Fitting of a head on unlabelled images: features once, then training from them."""
