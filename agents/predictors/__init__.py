"""Predictors of accuracy: settings, one file each, that `registry` knows by name."""
