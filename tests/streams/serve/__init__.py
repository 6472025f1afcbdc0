"""Promises of the read side, without Kafka."""
