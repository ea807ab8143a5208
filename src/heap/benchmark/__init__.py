"""Published tasks: data sets, metrics, protocols, results and tables, every method side by side."""
