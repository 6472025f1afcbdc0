"""Tests of preset `full`."""
