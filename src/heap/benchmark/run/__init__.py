"""Evaluation runs: methods over the images of a data set, their journal, and tuning."""
