"""The ratios as an SVG bar chart (how many times as long as libnnn each contender takes, on a logarithmic axis) and as a Markdown table."""

import math
from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, ROW, HEAD = 420, 200, 168, 15, 32
LOW, HIGH = 0.25, 16
SLOWER, FASTER, OURS = "#9aa5b1", "#d9822b", "#2b6cb0"


def svg(groups):
    """Three columns of groups: the f32 bias pass; int8 and single pairs; search."""
    groups = [g for g in groups if g["bars"]]
    columns = [[g for g in groups if g["group"].startswith(words)] for words in ("bias pass f32", ("bias pass int8", "pair"), "search")]
    columns = [c for c in columns if c]
    parts, height = [], 0
    for x, column in enumerate(columns):
        y = 62
        for group in column:
            parts.append(_group(20 + x * WIDTH, y, group))
            y += HEAD + ROW * len(_bars(group)) + 12
        height = max(height, y)
    width = 20 + len(columns) * WIDTH
    key = [(SLOWER, "peer, slower than libnnn"), (FASTER, "peer, faster"), (OURS, "another form of libnnn")]
    legend = "".join(
        f'<rect x="{20 + 190 * i}" y="38" width="10" height="10" fill="{colour}"/>'
        f'<text x="{36 + 190 * i}" y="47">{name}</text>' for i, (colour, name) in enumerate(key))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="system-ui, sans-serif" font-size="11" fill="#222">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        '<text x="20" y="24" font-size="15" font-weight="600">Time relative to libnnn, one core (logarithmic; right of the line: '
        f"libnnn is faster)</text>\n{legend}\n" + "".join(parts) + "</svg>\n"
    )


def _bars(group):
    return [row for row in group["rows"] if row["name"] != group["base"] and "nothing" not in row["name"]]


def _x(ratio):
    clipped = min(max(ratio, LOW), HIGH)
    return LABEL + BAR * math.log(clipped / LOW) / math.log(HIGH / LOW)


def _group(x, y, group):
    bars, one = _bars(group), _x(1)
    bottom = HEAD + ROW * len(bars)
    out = [f'<g transform="translate({x},{y})">', f'<text y="12" font-weight="600">{escape(group["group"])}</text>']
    for tick in (0.5, 2, 4, 8):
        out.append(f'<line x1="{_x(tick):.1f}" x2="{_x(tick):.1f}" y1="{HEAD - 5}" y2="{bottom}" stroke="#e8eaed"/>')
        out.append(f'<text x="{_x(tick):.1f}" y="{HEAD - 8}" text-anchor="middle" font-size="9" fill="#777">{tick:g}</text>')
    for i, row in enumerate(bars):
        top, end = HEAD + i * ROW, _x(row["ratio"])
        colour = OURS if row["name"].startswith("libnnn") else SLOWER if row["ratio"] >= 1 else FASTER
        left, long = min(one, end), max(abs(end - one), 1)
        out.append(f'<text x="{LABEL - 8}" y="{top + 9}" text-anchor="end">{escape(row["name"])}</text>')
        out.append(f'<rect x="{left:.1f}" y="{top}" width="{long:.1f}" height="{ROW - 4}" fill="{colour}"/>')
        out.append(f'<text x="{max(end, one) + 4:.1f}" y="{top + 9}">{row["ratio"]:.2f}</text>')
    out.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{HEAD - 5}" y2="{bottom}" stroke="#222"/>')
    return "\n".join(out) + "\n</g>\n"


JOBS = {"FAISS": "FAISS", "torch": ("authors'", "torch int8"), "ScaNN": "ScaNN", "SVS": "SVS", "USearch": "USearch", "NumKong": "NumKong"}
PAIRS = {"FAISS": "FAISS", "hnswlib": "hnswlib", "SimSIMD": "SimSIMD", "NumKong": "NumKong"}


def markdown(groups):
    """One line per job: libnnn's time and share of the limit, and how many times as long each peer takes, at its best; bold where the
    peer is faster. The certified forms have lines of their own, beside the same peers."""
    groups = [g for g in groups if g["bars"]]
    pairs = [g for g in groups if g["group"].startswith("pair")]
    tables = _table([g for g in groups if g not in pairs], JOBS), _table(pairs, PAIRS)
    return "\n".join(t for t in tables if t)


def _table(groups, columns):
    lines = [_line(g, row, columns) for g in groups for row in g["rows"] if row["name"] == g["base"] or "certified" in row["name"]]
    head = ["| one core | libnnn | of limit | " + " | ".join(columns) + " |", "|---|---|---|" + "---|" * len(columns)]
    return "\n".join([*head, *filter(None, lines)]) + "\n" if lines else ""


def _line(group, ours, columns):
    if "encoding" in ours["name"]:
        return ""
    job = group["group"] + (", certified" if "certified" in ours["name"] else "")
    scale, unit = next((s, u) for s, u in ((1, "s"), (1e3, "ms"), (1e9, "ns")) if ours["seconds"] * s >= 1 or u == "ns")
    share = f"{100 * ours['of_limit']:.0f} %" if ours["of_limit"] else ""
    cells = [_cell(group, ours, prefix) for prefix in columns.values()]
    return f"| {job} | {ours['seconds'] * scale:.3g} {unit} | {share} | " + " | ".join(cells) + " |"


def _cell(group, ours, prefix):
    ratios = [row["ratio"] / ours["ratio"] for row in group["rows"] if row["name"].startswith(prefix)]
    if not ratios:
        return ""
    best = min(ratios)
    return f"**{best:.2f}**" if best < 1 else f"{best:.2f}"
