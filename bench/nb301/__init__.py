"""NAS-Bench-301: DARTS cells, answered by surrogates."""
