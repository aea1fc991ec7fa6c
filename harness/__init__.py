"""harness: the benchmark of real-time anomaly detection at the LHC."""

from __future__ import annotations

__version__ = "0.1.0"
