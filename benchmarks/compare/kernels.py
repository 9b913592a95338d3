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
WIDTH, LABEL, ROW, MOST = 900, 540, 15, 12  # MOST: kernels shown of a model


def profile(tool, options, seconds):
    """The time of a call, and (its share, that of its least time, kernel) with the largest first."""
    run = subprocess.run([tool, "bench", "--explain", "--json", "--seconds", str(seconds), *options.split()],
                         check=True, capture_output=True, text=True)
    found = json.loads(run.stdout)
    percent = 100 / found["time_us"]
    if not any(k["time_us"] for k in found["kernels"]):  # they are one function
        least = sum(k["least_us"] for k in found["kernels"])
        return found["time_us"], [(100.0, least * percent, "all kernels, which are one function")]
    shares = [(k["time_us"] * percent, k["least_us"] * percent, f"{k['name']} {k['what']}") for k in found["kernels"]]
    return found["time_us"], sorted(shares, reverse=True)


def shortened(name):
    kernel, _, what = name.partition(" ")
    kernel = re.sub(r"\.\d+$", "", kernel)
    return f"{kernel[:34] + '…' if len(kernel) > 35 else kernel}  {what}"


def draw(profiles):
    parts = [text(8, 18, "Bars: a kernel's part of the time; dark: the least that its work takes at the rates of the machine", 10,
                  colour="#555")]
    y = 18
    for title, (time, shares) in profiles:
        y += 18
        parts.append(text(8, y, f"{title}: {report.time_text(time)} a call", 12, weight="bold"))
        y += 6
        rest = [(sum(s[0] for s in shares[MOST:]), sum(s[1] for s in shares[MOST:]), f"{len(shares) - MOST} others")]
        for share, least, name in shares[:MOST] + (rest if len(shares) > MOST else []):
            scale = (WIDTH - LABEL - 50) / max(s[0] for s in shares)
            parts.append(text(LABEL - 6, y + 11, shortened(name), 10, "end"))
            for size, colour in [(share, "#9dbad6"), (min(least, share), "#2f5f8f")]:
                parts.append(f'<rect x="{LABEL}" y="{y + 2}" width="{max(size * scale, 1):.1f}" height="{ROW - 4}" '
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
