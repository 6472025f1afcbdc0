"""The read side (DESIGN section 12): `items` and `recommendations` from Kafka, lists over HTTP, a live page. It keeps nothing that
Kafka does not, so any number may run and a restart loses nothing.
"""
