"""Tests of streams/bench."""
