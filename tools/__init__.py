"""Commands for those who work on harness; run as `python -m tools.NAME`."""
