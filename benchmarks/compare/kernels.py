#!/usr/bin/env python3
"""Draws where the time of three models goes, kernel by kernel: bars from benchmarks/profile."""
import argparse
import re
import subprocess
from pathlib import Path

from plot import text

MODELS = [
    ("Training of a character model: 65 symbols, 2 x 128, B = 50, T = 50, Adam",
     "--mode train --layers 2 --hidden 128 --batch 50 --vocabulary 65"),
    ("One step of an LSTM, H = 256, B = 1", "--mode stream --hidden 256"),
    ("An LSTM over sequences, H = 256, B = 16, T = 50", "--mode infer --hidden 256 --batch 16"),
]
WIDTH, LABEL, ROW, MOST = 900, 540, 15, 12  # MOST: kernels shown of a model


def profile(program, options, seconds):
    """The time of a call, and (share, kernel) with the largest first."""
    lines = subprocess.run([program, *options.split(), "--seconds", str(seconds)], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    shares = [(float(share), name.strip()) for share, name in (line.split("%", 1) for line in lines[1:])]
    return lines[0], shares


def shortened(name):
    kernel, _, what = name.partition(" ")
    kernel = re.sub(r"\.\d+$", "", kernel)
    return f"{kernel[:34] + '…' if len(kernel) > 35 else kernel}  {what}"


def draw(profiles):
    parts, y = [], 8
    for title, (time, shares) in profiles:
        y += 18
        parts.append(text(8, y, f"{title}: {time}", 12, weight="bold"))
        y += 6
        shown = shares[:MOST]
        rest = sum(share for share, _ in shares[MOST:])
        for share, name in shown + ([(rest, f"{len(shares) - MOST} others")] if rest else []):
            width = share / max(s for s, _ in shares) * (WIDTH - LABEL - 50)
            parts.append(text(LABEL - 6, y + 11, shortened(name), 10, "end"))
            parts.append(f'<rect x="{LABEL}" y="{y + 2}" width="{max(width, 1):.1f}" height="{ROW - 4}" fill="#3b6ea5"/>')
            parts.append(text(LABEL + width + 5, y + 11, f"{share:.1f} %", 9, colour="#555"))
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
    program = Path(options.build) / "bin" / "profile"
    profiles = [(title, profile(program, words, options.seconds)) for title, words in MODELS]
    Path(options.svg).write_text(draw(profiles))


if __name__ == "__main__":
    main()
