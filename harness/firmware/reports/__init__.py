"""Reports of the vendor's tools: parsed, and those that a participant hands in."""
