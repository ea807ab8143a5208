"""The data sets that methods are scored on, read from their official layouts."""
