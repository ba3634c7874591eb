"""What came of it: stored runs, curves, statistics, figures, reports and the command line."""
