"""The score card: its records, its files."""
