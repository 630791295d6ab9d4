"""Text in HTML, escaped as upstream escapes it, so that pages can be compared byte by byte."""


def escape_html(text: str) -> str:
    """Escape ``text`` for an element's content or a quoted attribute."""
    return (
        text.replace("&", "&amp;")
        .replace(">", "&gt;")
        .replace("<", "&lt;")
        .replace("'", "&#39;")
        .replace('"', "&#34;")
    )
