"""Telemetry of the read side: what its own /metrics says."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

# Measured (`crossnet bench serve`): a list takes under a millisecond, and 10 ms is the promise.
_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 10)


class ServeTelemetry:
    """One registry, one server."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client leaves it untyped
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("crossnet_serve_requests", "Requests.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "crossnet_serve_request_seconds", "Time to answer, streams left out.", ["route"], registry=registry, buckets=_SECONDS
        )
        self.read = Counter("crossnet_serve_records", "Records read, by Kafka topic.", ["kafka_topic"], registry=registry)
        self.unreadable = Counter("crossnet_serve_unreadable", "Records that are none.", ["kafka_topic"], registry=registry)
        self.produced = Counter("crossnet_serve_events", "Events written to Kafka.", ["network"], registry=registry)
        self.users = Gauge("crossnet_serve_users", "Users with a list.", registry=registry)
        self.items = Gauge("crossnet_serve_items", "Items known.", registry=registry)
        self.streams = Gauge("crossnet_serve_streams", "Live streams open.", registry=registry)
        self.dropped = Gauge("crossnet_serve_dropped_frames", "Frames that slow clients missed.", registry=registry)
        self.connections = Gauge("crossnet_serve_connections", "Connections open.", registry=registry)
        self.behind = Gauge("crossnet_serve_behind_records", "Records not yet read.", registry=registry)
        self.silent = Gauge("crossnet_serve_kafka_silent_seconds", "Since Kafka last answered.", registry=registry)
        self.ready = Gauge("crossnet_serve_ready", "1 when lists are up to date.", registry=registry)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
