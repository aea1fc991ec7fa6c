"""Black boxes: mixed, sealed, answered by a list of events, and scored by their key."""
