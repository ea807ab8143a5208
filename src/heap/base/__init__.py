"""Ground floor: errors, files, locks, signals, progress; torch is imported only where used."""
