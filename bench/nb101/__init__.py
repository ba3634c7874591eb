"""NAS-Bench-101 (Ying et al. 2019, arXiv 1902.09635): the cell space, its files, its tables."""
