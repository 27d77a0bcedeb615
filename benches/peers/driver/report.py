"""The figures, the ratios, and how they are printed."""
import statistics

MORE, LESS = "more is better", "less is better"
MEASURES = {
    "one": ("one by one, tasks/s", MORE),
    "bulk": ("bulk, tasks/s", MORE),
    "drain": ("drain, tasks/s", MORE),
    "p50": ("latency p50, ms", LESS),
    "p99": ("latency p99, ms", LESS),
    "rss": ("idle, MB", LESS),
    "bytes": ("bytes per queued task", LESS),
}


class Row:
    """One peer, or jobqueue on one deployment: of each measure its values, one a run."""

    def __init__(self, name, store, version, durable, own=False):
        self.name, self.store, self.version, self.durable, self.own = name, store, version, durable, own
        self.values, self.failed, self.others_cores = {}, None, 0.0

    def add(self, figures):
        for measure, value in figures.items():
            self.values.setdefault(measure, []).append(value)

    def median(self, measure):
        return statistics.median(self.values[measure])

    def json(self):
        return {"name": self.name, "store": self.store, "version": self.version, "durable": self.durable,
                "measures": self.values, "failed": self.failed, "others_cores": round(self.others_cores, 2)}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    if not values:
        return "–"
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(min(values))}–{number(max(values))})"


def table(head, rows):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def figures(rows):
    head = ["", "store", *(title for title, _ in MEASURES.values())]
    body = [[f"{row.name} {row.version}" + (" *" if row.others_cores > 0.25 else ""), row.store,
             *(spread(row.values.get(measure)) for measure in MEASURES)] for row in rows if row.values]
    return table(head, body)


def fastest(rows, measure, durable):
    """The best peer by its median, of all or of those that have each submission on the disk."""
    known = [row for row in rows if not row.own and measure in row.values and (row.durable or not durable)]
    best = max if MEASURES[measure][1] == MORE else min
    return best(known, key=lambda row: row.median(measure), default=None)


def ratios(rows, durable):
    """Of each of jobqueue's rows and measures: the fastest peer, and ours ÷ theirs run by run."""
    found = []
    for measure in MEASURES:
        peer = fastest(rows, measure, durable)
        for row in rows if peer else []:
            if row.own and measure in row.values:
                pairs = zip(row.values[measure], peer.values[measure])
                found.append({"measure": measure, "row": f"{row.name}, {row.store}", "peer": peer.name,
                              "durable": durable, "ratios": [own / theirs for own, theirs in pairs]})
    return found


def ratio_table(found):
    present = [measure for measure in MEASURES if any(one["measure"] == measure for one in found)]
    peer_of = {one["measure"]: one["peer"] for one in found}
    head = ["jobqueue ÷", *(f"{MEASURES[measure][0].split(', ')[0]}: {peer_of[measure]}" for measure in present)]
    body = []
    for name in dict.fromkeys(one["row"] for one in found):
        of = {one["measure"]: one["ratios"] for one in found if one["row"] == name}
        body.append([name, *(spread(of.get(measure)) for measure in present)])
    return table(head, body)


def behind(found):
    """A line for each measure in which jobqueue is slower, or takes more, than the best peer."""
    worse = {}
    for one in found:
        ratio = statistics.median(one["ratios"])
        if ratio < 1 if MEASURES[one["measure"]][1] == MORE else ratio > 1:
            title = MEASURES[one["measure"]][0].split(", ")[0]
            worse.setdefault(f"{title} ({one['peer']})", []).append(f"{number(ratio)} × with {one['row']}")
    return "\n".join(f"- {title}: {'; '.join(where)}" for title, where in worse.items()) or "- nowhere"


def text(report, rows):
    machine, servers = report["machine"], report["servers"]
    parts = [
        f"{report['tasks']:,} tasks, {report['runs']} run(s): medians (min–max). {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; PostgreSQL {servers['postgresql']}, Redis {servers['redis']}; "
        f"fdatasync {spread(report['fdatasync_ms'])} ms.", figures(rows)]
    if any(row.others_cores > 0.25 for row in rows):
        parts.append("\\* Other programs used more than a quarter of a core meanwhile.")
    for durable, which in ((False, "the best of all peers"), (True, "the best that has each submission on the disk")):
        found = [one for one in report["ratios"] if one["durable"] == durable]
        if found:
            parts += [f"jobqueue ÷ {which} (latency, memory and bytes: less is better):", ratio_table(found),
                      f"Where jobqueue is behind {which}:", behind(found)]
    parts += [f"{row.name} ({row.store}) failed: {row.failed}" for row in rows if row.failed]
    return "\n\n".join(parts)
