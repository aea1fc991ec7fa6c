"""The first page that the app sends has the app's style, and leads to Streamlit's own files."""

from __future__ import annotations

from leaderboard_app.shell import app_style, styled_files, styled_page


def test_the_style_stands_in_the_head_of_the_page_and_the_other_files_are_the_same(tmp_path):
    original, folder = tmp_path / "streamlit", tmp_path / "ours"
    (original / "static").mkdir(parents=True)
    (original / "static" / "a.js").write_text("1")
    (original / "index.html").write_text("<html><head><title>S</title></head><body></body></html>")
    folder.mkdir()

    made = styled_files(original, folder, "h1 { color: red }")

    page = (made / "index.html").read_text()
    assert page.index("h1 { color: red }") < page.index("</head>")
    assert (made / "static" / "a.js").read_text() == "1"
    assert "style" not in (original / "index.html").read_text()


def test_the_style_cannot_end_its_element():
    assert "</" not in app_style()
    assert styled_page("no head", "x") == "no head"
