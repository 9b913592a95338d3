"""The picture of the README: for each row Rondo's speed over that of the best peer, and its part of the limit."""
import math
from xml.sax.saxutils import escape

import report
from rows import SECTIONS

COLUMNS = [["stream", "infer-1", "infer"], ["train", "update", "own"]]
WIDTH, ROW, LABEL, BAR = 500, 15, 170, 180  # of a column, and of what is in it
LOW, HIGH = 0.7, 3.0  # speeds at the ends of a bar; faster ones are cut


def place(speed):
    return LABEL + BAR * math.log(min(max(speed, LOW), HIGH) / LOW) / math.log(HIGH / LOW)


def label(name):
    cell, _, size = name.replace("own-", "own ").partition("-")
    parts = [p for p in size.split("-") if p not in ("stream", "infer", "train", "T50", "T100", "T1")]
    return cell + " " + " ".join(parts)


def text(x, y, words, size=10, anchor="start", colour="#333", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def draw_row(y, name, result):
    speed, part = report.speed(result), result["limit_us"] / result["time_us"]["rondo"]
    middle, parts = y + ROW / 2, [text(LABEL - 6, y + 11, label(name), anchor="end")]
    if speed is None:
        return parts + [text(LABEL + 4, y + 11, "no peer", colour="#888")]
    colour = "#2b7a4b" if speed >= result["target"] else "#7fb38f" if speed >= 1 else "#d9822b"
    start, end = sorted([place(1), place(speed)])
    parts.append(f'<rect x="{start:.1f}" y="{y + 3}" width="{max(end - start, 1):.1f}" height="{ROW - 6}" fill="{colour}"/>')
    goal = place(result["target"])
    parts.append(f'<line x1="{goal:.1f}" x2="{goal:.1f}" y1="{y + 1}" y2="{y + ROW - 1}" stroke="#333"/>')
    peer = report.best_peer(result)[0].replace("onnxruntime", "ORT").replace(" clang++", "").replace(" g++", "")
    words = f"{speed:.2f} x {peer}"
    parts.append(text(LABEL + BAR + 6, middle + 3.5, words, 9))
    parts.append(text(WIDTH - 8, middle + 3.5, f"{part:.0%}", 9, "end", "#777"))
    return parts


def draw_section(y, title, rows):
    parts = [text(4, y + 14, title, 11, weight="bold")]
    parts.append(text(WIDTH - 8, y + 14, "of limit", 9, "end", "#777"))
    top, y = y + 20, y + 20
    for name, result in rows:
        parts += draw_row(y, name, result)
        y += ROW
    for speed in [0.7, 1, 1.5, 2, 3]:
        x, shade = place(speed), "#555" if speed == 1 else "#ddd"
        parts.insert(0, f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{y}" stroke="{shade}"/>')
        parts.append(text(x, y + 10, f"{speed:g}", 8, "middle", "#777"))
    return parts, y + 24


def draw(results):
    body, height = [], 0
    for column, sections in enumerate(COLUMNS):
        y, parts = 44, []
        for section in sections:
            rows = [(n, r) for n, r in results["rows"].items() if r["section"] == section]
            if not rows:
                continue
            drawn, y = draw_section(y, SECTIONS[section], rows)
            parts += drawn
        body.append(f'<g transform="translate({column * WIDTH} 0)">' + "\n".join(parts) + "</g>")
        height = max(height, y)
    title = f"Rondo's speed over the best peer's on each row; f32, one thread, {results['machine']}"
    legend = "line across a bar: the target; dark green: reached; orange: a peer is faster"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {height}" width="{2 * WIDTH}" '
        f'height="{height}" font-family="sans-serif">',
        f'<rect width="{2 * WIDTH}" height="{height}" fill="white"/>',
        text(8, 18, title, 13, weight="bold"), text(8, 34, legend, 10, colour="#555"), *body, "</svg>", ""])
