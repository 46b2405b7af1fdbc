"""Metrics that a service exposes, in Prometheus' text format."""

from __future__ import annotations

import math
from collections.abc import Mapping

from release_gates.errors import MeasurementError, ProbeUnavailable

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """One scrape: every sample by name and labels."""

    def __init__(self, samples: Mapping[tuple[str, Labels], float]) -> None:
        self._samples = samples

    def value(self, name: str, **labels: str) -> float:
        """Return a sample's value; ``MeasurementError`` if it was not scraped or is no finite number."""
        value = self._samples.get((name, tuple(sorted(labels.items()))))
        if value is None or not math.isfinite(value):
            shown = ",".join(f'{key}="{label}"' for key, label in sorted(labels.items()))
            raise MeasurementError(
                f"metric {name}{{{shown}}} is {'not exposed' if value is None else value}.",
                slug="service-metric",
                hint=f"Exposed are: {', '.join(sorted({known for known, _ in self._samples}))[:400]}.",
            )
        return value


def parse_metrics(text: str) -> Metrics:
    """Return the samples of a scrape; ``MeasurementError`` for text that is none, or a sample twice."""
    try:
        from prometheus_client.parser import text_string_to_metric_families
    except ImportError as error:
        raise ProbeUnavailable(
            "prometheus-client is not installed.",
            slug="service-package-missing",
            hint="pip install 'pytest-release-gates[smoke]'",
        ) from error
    samples: dict[tuple[str, Labels], float] = {}
    try:
        found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except Exception as error:
        raise _wrong(f"is not in Prometheus' text format ({type(error).__name__}: {error})") from error
    for sample in found:
        key = (sample.name, tuple(sorted(sample.labels.items())))
        if key in samples:
            raise _wrong(f"has the sample {sample.name} {dict(sample.labels)} twice")
        samples[key] = float(sample.value)
    return Metrics(samples)


def _wrong(sentence: str) -> MeasurementError:
    return MeasurementError(
        f"the service's /metrics {sentence}.", slug="service-metrics-unreadable", hint="Look at GET /metrics."
    )
