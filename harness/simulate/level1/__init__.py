"""Synthetic level-1 trigger events in the format that CMS released in 2026."""
