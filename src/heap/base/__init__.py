"""Ground floor: errors, files, locks, checkpoints, signals, progress; nothing imports torch."""
