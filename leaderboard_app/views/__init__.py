"""From cards and boards to what a page shows: pure functions, plain text, no Streamlit."""
