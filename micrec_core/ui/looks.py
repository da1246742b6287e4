"""What the theme cannot say: room, contrast, and names that only a screen reader needs."""

from __future__ import annotations

from typing import Literal, get_args

# Widths in pixels that ``widgets.filled`` knows.
Least = Literal[160, 240, 250, 270]
CSS = """
/* Streamlit leaves 6 rem above every title and 5 beside it: much of a laptop's first screen. */
.stMainBlockContainer { padding: 4rem clamp(1rem, 3vw, 5rem) 3rem }
/* Captions carry the evidence; Streamlit fades them to 60 %, less than 4.5 : 1 of contrast. */
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.8 }
/* Chosen of a few: the theme's colour on a tint of itself is too faint in the dark. */
.stButtonGroup button[data-selected="true"] p { color: light-dark(#1F2733, #E6E9EE) }
/* A row of choices wraps on a phone instead of being cut. */
.stButtonGroup div:has(> button) { flex-wrap: wrap; overflow: visible }
/* White on the dark theme's colour is too faint as well. */
button[kind="primary"], .stMultiSelect span[title] { color: light-dark(#FFFFFF, #14181F) }
/* Said and not shown: what a button with a common word is about; see ``named``. */
.stButton em, .stDownloadButton em, [data-testid="stExpander"] summary em {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap }
/* A reason bar is as thick on a wide card as on a narrow one. */
[data-testid="stImage"] img[alt^="Score "] { height: 0.6rem }
/* ``widgets.beside``: twice the room for what comes of it, below each other where it is narrow. */
[class*="st-key-beside-"] > :first-child { flex: 1 1 270px }
[class*="st-key-beside-"] > :last-child { flex: 2 1 540px }
""" + "".join(
    f'[class*="st-key-filled{least}-"] > * {{ flex-basis: {least}px }}\n'
    for least in get_args(Least)
)
# Beside a sentence on a page that broke off, which is no refusal.
BROKEN = ":material/broken_image:"
