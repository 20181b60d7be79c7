"""Side-by-side measurements; each script prints a table and keeps it in ``benchmarks/results``."""
