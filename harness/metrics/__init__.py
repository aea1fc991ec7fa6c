"""How well scores tell signals from background: working points, ROC, intervals, replicates.

Scores are one number per event, higher = more anomalous. Everything is pure: arrays in, values
out; `harness.metrics.evaluate.evaluate` makes the whole record in one call.
"""
