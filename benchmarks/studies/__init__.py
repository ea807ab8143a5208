"""Studies, one a module; `python -m benchmarks NAME` runs one."""
