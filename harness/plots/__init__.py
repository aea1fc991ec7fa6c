"""Pictures for a paper, by matplotlib in the style of mplhep."""
