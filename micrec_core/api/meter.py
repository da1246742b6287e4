"""What happened, counted for whoever watches: Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Meter:
    """Counters of one service. Labels are routes and not addresses, so there are only so many."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "micrec_requests", "Requests answered.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "micrec_request_seconds", "From the request to the end of its answer.", ("route",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._swaps = Counter(
            "micrec_swaps", "Runs put in the place of others.", ("name",), registry=self._registry
        )

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def swapped(self, name: str) -> None:
        """One swap."""
        self._swaps.labels(name).inc()

    def text(self) -> bytes:
        """All of it, to be scraped."""
        return generate_latest(self._registry)
