"""Backend ``rtl``: the design simulated, synthesised and timed."""
