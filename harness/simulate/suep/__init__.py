"""Synthetic images of a high-level trigger: QCD, and soft unclustered energy patterns (SUEP)."""
