"""Benchmarks behind `crossnet bench`; each returns one JSON-able dict."""
