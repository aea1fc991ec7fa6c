"""The firmware of a network: its scores bit for bit, its timing and its resources."""
