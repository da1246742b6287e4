"""What happened, counted for whoever watches: Prometheus' text format."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Set before the start of several processes: what all of them counted is added up in this folder.
TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
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
        """All of it, to be scraped: of this process, or the sum of all that serve together."""
        registry = self._registry
        if os.environ.get(TOGETHER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)
