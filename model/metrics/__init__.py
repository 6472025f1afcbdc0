"""Metrics of a ranking; one file each."""
