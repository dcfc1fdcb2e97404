"""The blocks of a report as one self-contained HTML file, or as Markdown."""

from collections.abc import Sequence
from html import escape

from codelutra.card_tables import table
from codelutra.report import Block, Chart, Heading, Paragraph, Table

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1d2330; background: #fff; margin: 0 auto;
  max-width: 1000px; padding: 24px 16px; font-variant-numeric: tabular-nums; }}
h1 {{ font-size: 22px; }} h2 {{ font-size: 17px; margin-top: 28px; }}
p {{ max-width: 75ch; }} .warning {{ border-left: 3px solid #b42318; padding: 6px 12px;
  background: #fef3f2; color: #b42318; }}
.charts {{ display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(420px,
  100%), 1fr)); }} figure {{ margin: 0; }} figcaption {{ font-weight: 600; font-size: 14px; }}
svg {{ width: 100%; height: auto; }} .scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: 13.5px; }} th, td {{ padding: 4px 10px;
  border-bottom: 1px solid #d9dde4; text-align: right; vertical-align: top; }}
th:first-child, td:first-child, td:last-child, th:last-child {{ text-align: left; }}
td {{ overflow-wrap: anywhere; }}
</style></head><body>
{body}
</body></html>
"""


def as_html(blocks: Sequence[Block]) -> str:
    parts: list[str] = []
    is_open = False  # of the charts that follow each other
    for block in blocks:
        if isinstance(block, Chart) != is_open:
            parts.append("</div>" if is_open else '<div class="charts">')
            is_open = not is_open
        parts.append(_html(block))
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Report")
    return PAGE.format(title=escape(title), body="\n".join(parts))


def as_markdown(blocks: Sequence[Block]) -> str:
    """Without the charts: every number of theirs is in a table."""
    parts = [_markdown(block) for block in blocks if not isinstance(block, Chart)]
    return "\n\n".join(parts) + "\n"


def _html(block: Block) -> str:
    match block:
        case Heading(words, level):
            return f"<h{level}>{escape(words)}</h{level}>"
        case Paragraph(words, is_warning):
            mark = ' class="warning"' if is_warning else ""
            return f"<p{mark}>{escape(words)}</p>"
        case Chart(title, svg):
            return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>"
        case Table(header, rows):
            head = "".join(f"<th>{escape(name)}</th>" for name in header)
            body = "".join(
                "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
                for row in rows
            )
            return (
                f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
                f"<tbody>{body}</tbody></table></div>"
            )


def _markdown(block: Block) -> str:
    match block:
        case Heading(words, level):
            return f"{'#' * level} {_plain(words)}"
        case Paragraph(words, is_warning):
            words = _plain(" ".join(words.split()))
            return f"**{words}**" if is_warning else words
        case Table(header, rows):
            return table([_plain(name) for name in header], [[_plain(c) for c in r] for r in rows])
    raise AssertionError(block)


def _plain(words: str) -> str:
    """Text that is no markup: a name may hold anything."""
    for sign in ("\\", "`", "*", "_", "<", "[", "#"):
        words = words.replace(sign, "\\" + sign)
    return words
