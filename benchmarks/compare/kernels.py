#!/usr/bin/env python3
"""Draws where the time of three models goes, kernel by kernel: bars from `rondo bench --explain`."""
import argparse
import json
import re
import subprocess
from pathlib import Path

import report
from plot import text

MODELS = [
    ("Training of a character model: 65 symbols, 2 x 128, B = 50, T = 50, Adam",
     "--mode train --layers 2 --hidden 128 --batch 50 --vocabulary 65"),
    ("One step of an LSTM, H = 256, B = 1", "--mode stream --hidden 256"),
    ("An LSTM over sequences, H = 256, B = 16, T = 50", "--mode infer --hidden 256 --batch 16"),
]
WIDTH, LABEL, ROW = 900, 540, 15
MOST, LEAST = 12, 0.3  # kernels shown of a model: how many, and of so many percent


def profile(tool, options, seconds):
    """The time of a call, and percents of it with the largest first: (a kernel's, its least, its products', name)."""
    run = subprocess.run([tool, "bench", "--explain", "--json", "--seconds", str(seconds), *options.split()],
                         check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    percent = 100 / found["time_us"]
    shares = [(k["time_us"] * percent, k["least_us"] * percent, k["products_us"] * percent, f"{k['name']} {k['what']}")
              for k in found["kernels"]]
    if not any(s[0] for s in shares):  # they are one function
        return found["time_us"], [(100.0, *total(shares)[1:], "all kernels, which are one function")]
    return found["time_us"], sorted(shares, reverse=True)


def total(shares):
    return [sum(s[i] for s in shares) for i in range(3)]


def shortened(name):
    kernel, _, what = name.partition(" ")
    kernel = re.sub(r"\.\d+$", "", kernel)
    return f"{kernel[:34] + '…' if len(kernel) > 35 else kernel}  {what}"


def draw(profiles):
    parts = [text(8, 18, "Bars: a kernel's part of the time; dark: its products at the peak; middle: what else its work takes at least",
                  10, colour="#555")]
    y = 18
    for title, (time, shares) in profiles:
        y += 18
        parts.append(text(8, y, f"{title}: {report.time_text(time)} a call", 12, weight="bold"))
        y += 6
        shown = [s for s in shares[:MOST] if s[0] >= LEAST]
        rest = shares[len(shown):]
        scale = (WIDTH - LABEL - 50) / max(s[0] for s in shares)
        if total(rest)[0] >= LEAST:
            shown.append((*total(rest), f"{len(rest)} others"))
        for share, least, products, name in shown:
            parts.append(text(LABEL - 6, y + 11, shortened(name), 10, "end"))
            for size, colour in [(share, "#b9cee2"), (min(least, share), "#6f9bc6"), (min(products, share), "#2b5580")]:
                parts.append(f'<rect x="{LABEL}" y="{y + 2}" width="{max(size * scale, 0):.1f}" height="{ROW - 4}" '
                             f'fill="{colour}"/>')
            parts.append(text(LABEL + share * scale + 5, y + 11, f"{share:.1f} %", 9, colour="#555"))
            y += ROW
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" width="{WIDTH}" '
                      f'height="{y + 8}" font-family="sans-serif">',
                      f'<rect width="{WIDTH}" height="{y + 8}" fill="white"/>', *parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="Rondo's build folder")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("svg")
    options = parser.parse_args()
    tool = Path(options.build) / "bin" / "rondo"
    profiles = [(title, profile(tool, words, options.seconds)) for title, words in MODELS]
    Path(options.svg).write_text(draw(profiles))


if __name__ == "__main__":
    main()
