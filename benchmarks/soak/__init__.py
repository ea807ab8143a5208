"""Parts of `benchmarks.studies.soak`: commands that are killed, fuzzing, and many clients."""
