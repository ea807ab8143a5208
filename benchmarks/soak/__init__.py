"""Parts of `benchmarks.bench_soak`: commands that are killed, fuzzing, and many clients."""
