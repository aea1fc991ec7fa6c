"""The leaderboard: pages over the score cards, and the same pages as a static site.

Reads cards through `harness.board` and opens no other file of the results. What is shown is made
by pure functions: `views` turns cards into blocks of text, tables and charts, `charts` draws,
`markup` writes blocks as HTML. The app (`streamlit_app.py`) and the site (`static_site.py`) put
the same blocks on a page.
"""
