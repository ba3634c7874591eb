"""NAS-Bench-201 and TransNAS-Bench-101 (micro): one cell, six edges, an operation on each."""
