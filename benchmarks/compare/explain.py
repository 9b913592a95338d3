#!/usr/bin/env python3
"""Why rows of compare.py fall short: where Rondo's time goes, and the least that each part of it takes.

Reads the results of `compare.py --json`, and runs `rondo bench --explain` for each row below its target.
"""
import argparse
import json
import re
import subprocess
from pathlib import Path

import report
from rows import rows

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = ["target leaves", "parts take", "products", "operations", "memory", "chain", "packing", "more in products",
           "more elsewhere", "memory in all"]
PARTS = {"operations": "gates and other operations", "memory": "waiting for memory",
         "chain": "operations that wait for each other", "packing": "packing"}
LOSSES = {**PARTS, "more in products": "kernels of products, beyond their parts",
          "more elsewhere": "other kernels, beyond their parts"}


def explain(tool, row, seconds):
    """What `rondo bench --explain` says of a row."""
    options = dict(cell=row.cell, mode=row.mode, layers=row.layers, input=row.input or row.hidden, hidden=row.hidden,
                   batch=row.batch, steps=row.steps, vocabulary=row.vocabulary, optimizer=row.optimizer)
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    run = subprocess.run([tool, "bench", "--explain", "--json", "--seconds", str(seconds), *words], check=True,
                         capture_output=True, text=True)
    return json.loads(run.stdout)


def parts(explained):
    """Shares of the time of a call. The parts of a kernel's least time are in order: what waits for memory is what
    memory takes longer than products and operations, and so on."""
    kernels, time = explained["kernels"], explained["time_us"]
    sums = dict.fromkeys(["products", "operations", "memory", "chain", "packing", "more in products", "memory in all"],
                         0.0)
    for k in kernels:
        computing = k["products_us"] + k["operations_us"]
        sums["products"] += k["products_us"]
        sums["operations"] += k["operations_us"]
        sums["memory"] += max(0, k["memory_us"] - computing)
        sums["memory in all"] += k["memory_us"]
        sums["packing"] += k["packing_us"]
        least = k["least_us"]
        sums["chain"] += max(0, least - k["packing_us"] - max(computing, k["memory_us"]))
        if k["products_us"] > k["operations_us"]:
            sums["more in products"] += k["time_us"] - least
    least = sum(k["least_us"] for k in kernels)
    if not any(k["time_us"] for k in kernels):  # all kernels are one function
        sums["more in products"] = time - least
    sums["parts take"] = least
    sums["more elsewhere"] = time - least - sums["more in products"]
    return {name: us / time for name, us in sums.items()}


def reason(shares):
    """What takes the time that the target does not leave, beside the products."""
    if shares["target leaves"] >= 1:
        return "at its target"
    alone = shares["parts take"] > shares["target leaves"]
    most = max(PARTS if alone else LOSSES, key=shares.get)
    words = f"{LOSSES[most]}: {percent(shares[most])}"
    if alone:
        return f"the parts alone take more than the target leaves; {words}"
    beside = most == "more in products" and shares["memory in all"] > 0.5
    return words + (f", beside {percent(shares['memory in all'])} for reading operands" if beside else "")


def percent(share):
    return f"{round(100 * share)}%"


def table(explained):
    """Markdown; `explained` has the shares of rows."""
    lines = [f"| row | {' | '.join(COLUMNS)} | the largest loss |", "|---" * (len(COLUMNS) + 2) + "|"]
    for name, shares in explained.items():
        cells = " | ".join(percent(shares[c]) for c in COLUMNS)
        lines.append(f"| {name} | {cells} | {reason(shares)} |")
    return "\n".join(lines + [""])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", help="of compare.py --json")
    parser.add_argument("--rows", default="", help="only rows whose section/name matches this regular expression")
    parser.add_argument("--all", action="store_true", help="also rows at their target")
    parser.add_argument("--seconds", type=float, default=1, help="how long to look at a row")
    parser.add_argument("--build", default=str(ROOT / "build"), help="Rondo's build folder")
    parser.add_argument("--json", default="", help="keep what was found of each row here; rows explained before stay")
    parser.add_argument("--table", default="", help="write it here, as Markdown")
    options = parser.parse_args()
    measured = json.loads(Path(options.results).read_text())["rows"]
    kept = {}
    if options.json and Path(options.json).exists():
        kept = json.loads(Path(options.json).read_text())
    for row in rows():
        result = measured.get(row.name)
        if not result or not re.search(options.rows, f"{row.section}/{row.name}") or not report.speed(result):
            continue
        if report.speed(result) >= row.target and not options.all:
            continue
        shares = parts(explain(Path(options.build) / "bin" / "rondo", row, options.seconds))
        shares["target leaves"] = report.speed(result) / row.target
        kept[row.name] = shares
        print(f"{row.name}: {reason(shares)}", flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps(kept, indent=1) + "\n")
    if options.table:
        order = [r.name for r in rows() if r.name in kept]
        Path(options.table).write_text(table({name: kept[name] for name in order}))


if __name__ == "__main__":
    main()
