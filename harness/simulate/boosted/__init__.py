"""Boosted jets: energy flow, clustering, matching to heavy particles, constituents."""
