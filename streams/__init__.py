"""The stream: Kafka, files, clocks and settings."""
