"""For whoever adds an agent or a benchmark: what there is, what it must keep, where to begin."""
