"""Preset `full`: what stands on the network and learns from every interaction."""
