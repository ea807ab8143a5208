"""Metrics as pairs of functions: `update` gives the state of one image, `compute` the value.

States are plain arrays or small frozen classes that add up, over images and over processes, in one
pass and in bounded memory. The state of an image is also what its row in a results file holds, so
every value can be computed again from the rows.
"""
