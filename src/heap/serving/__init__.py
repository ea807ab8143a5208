"""Application: a run to look at, search, correct and export in a browser, and its HTTP API."""
