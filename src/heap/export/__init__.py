"""Objects of a run as files of other tools: data sets, tables and label maps."""
