#!/usr/bin/env python3
"""Rondo and the peers that are on this machine, on every row of the table, in turns: A B A B. Medians.

With --threads, Rondo on one thread takes part as well.

Installs nothing. Needs Rondo built: the program compare_rondo.
"""
import argparse
import dataclasses
import json
import platform
import re
import statistics
import sys
import tempfile
import time
from array import array
from pathlib import Path

import peers
import plot
import report
from rows import SECTIONS, rows


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="", help="only rows whose section/name matches this regular expression")
    parser.add_argument("--only-peers", default="", help="only peers whose name matches this regular expression")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument("--json", default="", help="keep results here; rows measured before stay")
    parser.add_argument("--svg", default="", help="draw all rows of the results here")
    parser.add_argument("--table", default="", help="write all rows of the results here, as Markdown")
    parser.add_argument("--build", default=str(peers.ROOT / "build"), help="Rondo's build folder")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has torch, onnxruntime and jax")
    parser.add_argument("--rtneural", default="", help="a folder with RTNeural's sources")
    parser.add_argument("--xsimd", default="", help="a folder with xsimd's sources, where RTNeural's are too old")
    parser.add_argument("--threads", type=int, default=1, help="of each program; results go to a file of their own")
    parser.add_argument("--cpu", default="", choices=["", *peers.ISA], help="a level that all programs keep to, on a machine "
                        "that could do more; results go to a file of their own")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    return parser.parse_args()


def floats(path):
    values = array("f")
    data = Path(path).read_bytes()
    values.frombytes(data)
    return values


def difference(a, b):
    """The largest |a - b|, by the largest |a|."""
    if len(a) != len(b):
        return float("inf")
    scale = max(map(abs, a), default=1) or 1
    return max((abs(x - y) for x, y in zip(a, b)), default=0) / scale


def beside(row):
    """What Rondo does beside the row, and under which name: on one thread, where it has several; for a user's own
    cell, the library's cell of the same equations."""
    if row.threads > 1:
        return "one_thread_us", dataclasses.replace(row, threads=1)
    if row.cell.startswith("own-"):
        return "built_in_us", dataclasses.replace(row, cell=row.cell.removeprefix("own-"))
    return None, None


def ready(row, build, folder):
    """Rondo, ready to be timed."""
    peer = peers.rondo(build)
    why = peer.setup(row, folder / "other-data", folder / "other")
    if why:
        raise RuntimeError(f"rondo: {why}")
    return peer


class Cores:
    """Whether all cores are whole: a virtual machine gets halves of one at times, which tells nothing of programs."""

    def __init__(self, rondo):
        self.rondo, self.best = rondo, 0

    def are_whole(self):
        peak = float(self.rondo.ask("peak"))
        self.best = max(self.best, peak)
        return peak > 0.9 * self.best


def turn(peer, row, length, cores):
    if row.threads == 1:
        return peer.seconds(length)
    for _ in range(20):
        time.sleep(0.03)  # threads of the one before may still look for work
        before = cores.are_whole()
        seconds = peer.seconds(length)
        if before and cores.are_whole():
            break
    return seconds


def measure(row, rondo, others, quick, folder, build, cores):
    data, outs = folder / "data", {p.name: folder / p.name.replace(" ", "-") for p in [rondo] + others}
    why = rondo.setup(row, data, outs[rondo.name])
    if why:
        raise RuntimeError(f"rondo: {why}")
    taking_part, left_out, differences = [rondo], {}, {}
    for peer in others:
        outs[peer.name].unlink(missing_ok=True)
        try:
            why = peer.setup(row, data, outs[peer.name])
        except RuntimeError as error:
            why = str(error)
        if why:
            if why != "not its row":
                left_out[peer.name] = why
            continue
        taking_part.append(peer)
        if outs[peer.name].exists():
            differences[peer.name] = difference(floats(outs[rondo.name]), floats(outs[peer.name]))
    flops, read_bytes, compile_seconds = map(float, rondo.ask("facts").split())
    name, other_row = beside(row)
    other = ready(other_row, build, folder) if name else None
    seconds, peaks, reads, others_seconds = {p.name: [] for p in taking_part}, [], [], []
    turns, length = (3, 0.02) if quick else (7, 0.1)
    for peer in taking_part:
        peer.seconds(length / 4)  # warm
    for _ in range(turns):
        peaks.append(float(rondo.ask("peak")))
        reads.append(float(rondo.ask(f"read {int(read_bytes)}")))
        for peer in taking_part:
            seconds[peer.name].append(turn(peer, row, length, cores))
        if other:
            others_seconds.append(turn(other, row, length, cores))
    peak, read = statistics.median(peaks), statistics.median(reads)
    least = float(rondo.ask(f"least {peak} {read}"))
    if other:
        other.stop()
    return {"built_in_us": None, **({name: statistics.median(others_seconds) * 1e6} if other else {}),
            "section": row.section, "flops": flops, "compile_ms": compile_seconds * 1e3, "target": row.target,
            "fma_peak_gflops": peak, "read_gbs": read, "limit_us": least * 1e6,
            "time_us": {name: statistics.median(s) * 1e6 for name, s in seconds.items()},
            "time_us_min": {name: min(s) * 1e6 for name, s in seconds.items()},
            "difference": differences, "left_out": left_out}


def machine():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    options = parse()
    chosen = [dataclasses.replace(r, threads=options.threads, cpu=options.cpu) for r in rows()
              if re.search(options.rows, f"{r.section}/{r.name}")]
    if options.list:
        print("\n".join(f"{r.section}/{r.name}" for r in chosen))
        return
    peers.environment(options.threads, options.cpu)
    found, missing = peers.find_peers(options, Path(options.build))
    found = [p for p in found if re.search(options.only_peers, p.name)]
    for name, why in missing.items():
        print(f"left out: {name}: {why}", file=sys.stderr)
    rondo = peers.rondo(options.build)
    kept = {"rows": {}}
    if options.json and Path(options.json).exists():
        kept = json.loads(Path(options.json).read_text())
        for name, other in [("threads", 1), ("cpu", "")]:
            if kept.get(name, other) != getattr(options, name):
                sys.exit(f"{options.json} has results of {name} {kept.get(name, other)!r}")
    kept["threads"], kept["cpu"] = options.threads, options.cpu
    kept["machine"], kept["peers"] = machine(), {**kept.get("peers", {}), **{p.name: p.note for p in found}}
    cores = Cores(rondo)
    with tempfile.TemporaryDirectory() as folder:
        for row in chosen:
            result = measure(row, rondo, found, options.quick, Path(folder), options.build, cores)
            kept["rows"][row.name] = result
            print(report.line(row.name, result), flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps(kept, indent=1) + "\n")
    for peer in [rondo] + found:
        peer.stop()
    order = {r.name: i for i, r in enumerate(rows())}
    kept["rows"] = dict(sorted(kept["rows"].items(), key=lambda item: order[item[0]]))
    if options.svg:
        Path(options.svg).write_text(plot.draw(kept))
    if options.table:
        Path(options.table).write_text(
            report.table(kept, SECTIONS) if options.threads == 1 else report.threads_table(kept))


if __name__ == "__main__":
    main()
