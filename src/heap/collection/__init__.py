"""The collection: everything found in the images of one run, in one embedded database."""
