"""Tests of topics_svc."""
