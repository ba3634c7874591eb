"""Invented tables: random landscapes over the spaces of real benchmarks, to train on."""
