"""Results as lines of text and as tables."""

TOLERANCE = 1e-3  # numbers of a row agree to this part of their largest


def best_peer(result):
    """The fastest peer and its time; (None, None) where there was none."""
    times = {name: t for name, t in result["time_us"].items() if name != "rondo"}
    return min(times.items(), key=lambda item: item[1]) if times else (None, None)


def speed(result):
    """Rondo's speed over the best peer's."""
    name, time = best_peer(result)
    return time / result["time_us"]["rondo"] if name else None


def disagreeing(result):
    return {name: d for name, d in result["difference"].items() if not d <= TOLERANCE}


def line(name, result):
    rondo = result["time_us"]["rondo"]
    peer, time = best_peer(result)
    text = f"{name:32} {rondo:11.3f} us {result['flops'] / rondo * 1e-3:6.1f} GF {result['limit_us'] / rondo:5.0%} of limit"
    if peer:
        text += f"  x{time / rondo:5.2f} of {peer} ({time:.3f} us), target x{result['target']:.2f}"
        text += "" if time / rondo >= result["target"] else "  SHORT"
    if result["built_in_us"]:
        text += f"  x{result['built_in_us'] / rondo:.2f} of the built-in cell"
    if "one_thread_us" in result:
        text += f"  x{result['one_thread_us'] / rondo:.2f} of one thread"
    for other, difference in disagreeing(result).items():
        text += f"  DIFFERS from {other} by {difference:.1e}"
    for other, why in result["left_out"].items():
        text += f"  [{other}: {why}]"
    return text


def time_text(us):
    return f"{us * 1e3:.0f} ns" if us < 1 else f"{us:.1f} us" if us < 1e3 else f"{us / 1e3:.2f} ms"


def threads_table(results):
    """Markdown: what several threads gain."""
    parts = ["| row | best peer | its time | Rondo | on one thread | speed over the peer | over one thread |", "|---|---|---|---|---|---|---|"]
    for name, r in results["rows"].items():
        rondo, (peer, time) = r["time_us"]["rondo"], best_peer(r)
        parts.append(f"| {name} | {peer or '-'} | {time_text(time) if peer else '-'} | {time_text(rondo)} | "
                     f"{time_text(r['one_thread_us'])} | {f'{speed(r):.2f}' if peer else '-'} | "
                     f"{r['one_thread_us'] / rondo:.2f} |")
    return "\n".join(parts + [""])


def table(results, sections):
    """Markdown: a table a section."""
    parts = []
    for section, title in sections.items():
        rows = [(n, r) for n, r in results["rows"].items() if r["section"] == section]
        if not rows:
            continue
        parts += [f"**{title}**", "", "| row | best peer | its time | Rondo | GFLOP/s | of the limit | speed | target |",
                  "|---|---|---|---|---|---|---|---|"]
        for name, r in rows:
            rondo, (peer, time) = r["time_us"]["rondo"], best_peer(r)
            ratio = speed(r)
            if r["built_in_us"]:
                name += f" ({r['built_in_us'] / rondo:.2f} x the built-in cell's speed)"
            parts.append(f"| {name} | {peer or '-'} | {time_text(time) if peer else '-'} | {time_text(rondo)} | "
                         f"{r['flops'] / rondo * 1e-3:.1f} | {r['limit_us'] / rondo:.0%} | "
                         f"{f'{ratio:.2f}' if peer else '-'} | {r['target']:.2f} |")
        parts.append("")
    return "\n".join(parts)
