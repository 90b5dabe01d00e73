#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# Turn the lines of a benchmark run into a report.
#
# usage: report.py DIR			DIR/results, DIR/about -> report.md, .json
#        report.py --compare DIR DIR	two runs, ours only
#
# A series is one kind of workload over N. Its fit is a line through the costs,
# weighted by 1/N, so that small N count as much as large ones: linear means
# that the cost of one more is the same at 10 and at 10,000.

import json
import os
import statistics
import sys

TIMES = ("save", "frozen", "restore", "restore in kernel")

# How many times faster than criu, on the icount clock: kind, N, save, restore.
GOALS = (("idle", 1, 20, 20), ("threads", 500, 15, 8), ("files", 1000, 15, 6),
         ("processes-256k", 500, 4, 6))

# Over what other system calls take: memory, standing still with --cow.
BULK_GOAL, COW_GOAL = 1.1, 1.3


# By wall time they differ: from the least to the most.
SPREAD = False


def load(directory):
    rows, notes = {}, []
    with open(os.path.join(directory, "results"), encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            if line.startswith("#"):
                notes.append(line[1:].strip())
            elif len(fields) == 5:
                kind, n, who, figure, value = fields
                key = (kind, int(n))
                rows.setdefault(key, {}).setdefault(who, {}).setdefault(
                    figure, []).append(float(value))
    with open(os.path.join(directory, "about"), encoding="utf-8") as f:
        about = [line[1:].strip() for line in f]
    return about, rows, [n for n in notes if n != "end"]


def median(row, who, figure):
    values = row.get(who, {}).get(figure)
    return statistics.median(values) if values else None


def refused(row, who):
    return "refused" in row.get(who, {})


def ms(us):
    if us is None:
        return "-"
    value = us / 1000
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def cell(row, who, figure):
    if who not in row:
        return "-"
    if refused(row, who):
        return "refused"
    values = row[who].get(figure, [])
    if SPREAD and len(values) > 1:
        return (f"{ms(median(row, who, figure))} "
                f"({ms(min(values))}..{ms(max(values))})")
    return ms(median(row, who, figure))


def ratio(row, figure):
    ours, criu = median(row, "ours", figure), median(row, "criu", figure)
    if not ours or not criu or refused(row, "ours") or refused(row, "criu"):
        return "-"
    return f"{criu / ours:.1f}"


def bounds(row):
    parts = [f"{name} {ms(statistics.median(values))}"
             for name, values in row.get("bound", {}).items()]
    return ", ".join(parts) or "-"


def table(rows):
    yield ("| workload | N | save | criu | ratio | frozen | criu | restore "
           "| criu | ratio | image KiB | criu KiB | bounds |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    for (kind, n), row in rows.items():
        size = [median(row, who, "image bytes") for who in ("ours", "criu")]
        cells = [kind, str(n),
                 cell(row, "ours", "save"), cell(row, "criu", "save"),
                 ratio(row, "save"),
                 cell(row, "ours", "frozen"), cell(row, "criu", "frozen"),
                 cell(row, "ours", "restore"), cell(row, "criu", "restore"),
                 ratio(row, "restore"),
                 *("-" if s is None else f"{s / 1024:.0f}" for s in size),
                 bounds(row)]
        yield "| " + " | ".join(cells) + " |"


def over(value, base):
    return f"{value / base:.2f}" if value and base else "-"


def goals(rows):
    """What was to be reached, and how far the rest is from what can be."""
    yield ("| workload | N | of | goal | times faster than criu | ours "
           "| what other calls take |")
    yield "|---|--:|---|--:|--:|--:|---|"
    for kind, n, save, restore in GOALS:
        row = rows.get((kind, n))
        if not row:
            continue
        for figure, goal in (("save", save), ("restore", restore)):
            yield (f"| {kind} | {n} | {figure} | {goal} | {ratio(row, figure)} "
                   f"| {cell(row, 'ours', figure)} | {bounds(row)} |")


def bulk(rows):
    """Memory that is written and read, beside the same by write() and read()."""
    yield ("| workload | N | save | in kernel | write + crc32c | ratio | ratio "
           "| restore | in kernel | read + crc32c | ratio | ratio |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for (kind, n), row in rows.items():
        crc = median(row, "bound", "crc32c")
        cells = [kind, str(n)]
        if crc is None or "ours" not in row or refused(row, "ours"):
            continue
        for figures, bound in ((("save", "frozen"), "write"),
                               (("restore", "restore in kernel"), "read")):
            values = [median(row, "ours", f) for f in figures]
            base = median(row, "bound", bound) + crc
            cells += [ms(v) for v in values]
            cells += [ms(base)] + [over(v, base) for v in values]
        yield "| " + " | ".join(cells) + " |"


def bulk_without(rows):
    yield ("| workload | N | save less crc32c | criu | ratio "
           "| restore less crc32c | criu | ratio |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for (kind, n), row in rows.items():
        crc = median(row, "bound", "crc32c")
        cells = [kind, str(n)]
        if crc is None or any(who not in row or refused(row, who)
                              for who in ("ours", "criu")):
            continue
        for figure in ("save", "restore"):
            ours, criu = (median(row, who, figure) for who in ("ours", "criu"))
            cells += [ms(ours - crc), ms(criu), over(criu, ours - crc)]
        yield "| " + " | ".join(cells) + " |"


def standing_still(rows):
    """Until the program goes on, beside fork() of all its processes."""
    yield ("| workload | N | frozen with --cow | fork | ratio | frozen without "
           "| criu | save with --cow |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for (kind, n), row in rows.items():
        if "cow" not in row:
            continue
        frozen, fork = median(row, "cow", "frozen"), median(row, "bound", "fork")
        yield (f"| {kind} | {n} | {cell(row, 'cow', 'frozen')} | {ms(fork)} "
               f"| {over(frozen, fork)} | {cell(row, 'ours', 'frozen')} "
               f"| {cell(row, 'criu', 'frozen')} | {cell(row, 'cow', 'save')} |")


def watched(rows):
    yield ("| workload | N | longest gap | gap without a save "
           "| all pages written to | as the first thing after a restart "
           "| peak memory of save, KiB | of restore, KiB |")
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for (kind, n), row in rows.items():
        if "watch" not in row:
            continue
        peaks = [median(row, "watch", f"{f} peak bytes")
                 for f in ("save", "restore")]
        yield (f"| {kind} | {n} | {cell(row, 'watch', 'gap')} "
               f"| {cell(row, 'watch', 'gap alone')} "
               f"| {cell(row, 'watch', 'touch')} "
               f"| {cell(row, 'watch', 'touch restored')} | "
               + " | ".join("-" if p is None else f"{p / 1024:.0f}"
                            for p in peaks) + " |")


def series(rows):
    kinds = {}
    for kind, n in rows:
        kinds.setdefault(kind, []).append(n)
    for kind, ns in kinds.items():
        for who in ("ours", "criu"):
            for figure in ("save", "restore"):
                points = [(n, median(rows[kind, n], who, figure))
                          for n in sorted(ns)
                          if not refused(rows[kind, n], who)]
                points = [p for p in points if p[1]]
                if len(points) >= 3:
                    yield kind, who, figure, points


def fit(points):
    """Slope and intercept of a line, weights 1/n, and its R^2."""
    weights = [1 / n for n, _ in points]
    total = sum(weights)
    mx = sum(w * n for w, (n, _) in zip(weights, points)) / total
    my = sum(w * y for w, (_, y) in zip(weights, points)) / total
    sxx = sum(w * (n - mx) ** 2 for w, (n, _) in zip(weights, points))
    sxy = sum(w * (n - mx) * (y - my) for w, (n, y) in zip(weights, points))
    slope = sxy / sxx
    left = sum(w * (y - my - slope * (n - mx)) ** 2
               for w, (n, y) in zip(weights, points))
    syy = sum(w * (y - my) ** 2 for w, (_, y) in zip(weights, points))
    return slope, my - slope * mx, 1 - left / syy if syy else 1.0


def fits(rows):
    yield "| series | by | of | us each | fixed ms | R^2 | us each from one N to the next |"
    yield "|---|---|---|--:|--:|--:|---|"
    for kind, who, figure, points in series(rows):
        slope, fixed, r2 = fit(points)
        steps = [f"{(y2 - y1) / (n2 - n1):.0f}"
                 for (n1, y1), (n2, y2) in zip(points, points[1:])]
        yield (f"| {kind} | {who} | {figure} | {slope:.1f} | {fixed / 1000:.2f} "
               f"| {r2:.4f} | {', '.join(steps)} |")


def report(directory):
    global SPREAD
    about, rows, notes = load(directory)
    SPREAD = any(line.startswith("clock wall") for line in about)
    text = ["# Benchmark", ""]
    text += [f"- {line}" for line in about]
    text += ["", "Times in ms, medians; a ratio is criu's time by ours. The "
             "bounds are what other system calls take for the same.", ""]
    text += list(table(rows))
    for title, lines in (("Goals", goals),
                         (f"Bulk memory (the goal is {BULK_GOAL})", bulk),
                         ("Without checksums", bulk_without),
                         (f"Standing still (the goal is {COW_GOAL})", standing_still),
                         ("As the program sees it, memory used", watched),
                         ("Cost of one more", fits)):
        text += ["", f"## {title}", ""]
        text += list(lines(rows))
    if notes:
        text += ["", "## Why a row says refused", "", "```", *notes, "```"]
    with open(os.path.join(directory, "report.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(text) + "\n")
    data = {"about": about,
            "rows": [{"kind": kind, "n": n, **row}
                     for (kind, n), row in rows.items()],
            "fits": [{"kind": k, "who": w, "figure": g,
                      **dict(zip(("slope_us", "fixed_us", "r2"), fit(p)))}
                     for k, w, g, p in series(rows)]}
    with open(os.path.join(directory, "report.json"), "w",
              encoding="utf-8") as f:
        json.dump(data, f, indent=1)
    print("\n".join(text))


def compare(a, b):
    (_, before, _), (_, after, _) = load(a), load(b)
    print("| workload | N | of | before | after | by |")
    print("|---|--:|---|--:|--:|--:|")
    for key in before:
        for figure in TIMES:
            old = median(before[key], "ours", figure)
            new = median(after.get(key, {}), "ours", figure)
            if old and new:
                print(f"| {key[0]} | {key[1]} | {figure} | {ms(old)} "
                      f"| {ms(new)} | {100 * (new / old - 1):+.1f} % |")


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--compare":
        compare(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 2:
        report(sys.argv[1])
    else:
        sys.exit("usage: report.py DIR | --compare DIR DIR")
