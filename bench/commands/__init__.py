"""The commands about benchmarks (`rlnas bench ...`), one a file: settings, light to import, with a
method `run`. Results are printed to stdout, progress to stderr."""
