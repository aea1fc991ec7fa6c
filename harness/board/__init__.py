"""The board: cards found on the disk, ranked, as rows that every table of the project shows.

`index` finds and reads cards, `public` takes out what only the organiser may see, `rows` makes
the rows, `formats` writes them for the terminal, as CSV, Markdown and JSON. The terminal, the
pages and the static site differ in how they draw, never in what.
"""
