"""Measures peers and jobqueue on the same servers in one run. See ../README.md."""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import jobqueue
from machine import Others, fdatasync_ms
from measure import Measurement
from peers import PEERS
from programs import Failure
from report import Row, ratios, text
from servers import Servers

NAMES = [*(peer.name for peer in PEERS), "jobqueue"]


def arguments():
    def name(word):
        found = [name for name in NAMES if name.lower() == word.lower()]
        if not found:
            raise argparse.ArgumentTypeError(f"{word}: not one of {', '.join(NAMES)}")
        return found[0]

    def tasks(word):
        if not 1000 <= int(word) <= 200_000:
            raise argparse.ArgumentTypeError("between 1,000 and 200,000")
        return int(word)

    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    parser.add_argument("peers", metavar="PEER", nargs="*", type=name, help=f"{', '.join(NAMES)} [default: all]")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write all values to this file as well")
    parser.add_argument("--tasks", metavar="N", type=tasks, default=50_000, help="[default: 50000]")
    parser.add_argument("--runs", metavar="K", type=int, choices=range(1, 100), default=3, help="[default: 3]")
    parser.add_argument("--jobqueue", metavar="PROGRAM", type=Path,
                        help="the one to be measured [default: this checkout's, built for release]")
    parser.add_argument("--folder", metavar="PATH", help="where the servers' data are [default: the system's temporary folder]")
    return parser.parse_args()


def entries(options):
    """What is to be measured: rows, and how figures of theirs are got."""
    wanted = options.peers or NAMES
    found = []
    for peer in PEERS:
        if peer.name in wanted:
            row = Row(peer.name, peer.store, "", peer.durable)

            def measure(servers, peer=peer, row=row):
                row.version = row.version or peer.version()
                row.add(Measurement(peer, servers, options.tasks).run())

            found.append(([row], measure))
    if "jobqueue" in wanted:
        program = options.jobqueue or jobqueue.build()
        version = jobqueue.version(program)
        for store in jobqueue.DEPLOYMENTS:
            rows = [Row(name, store, version, True, own=True) for name in ("jobqueue", "jobqueue by HTTP")]

            def measure(servers, store=store, rows=rows):
                for row, figures in zip(rows, jobqueue.bench(program, store, servers, options.tasks)):
                    row.add(figures)

            found.append((rows, measure))
    return found


def measure_all(options, found, servers):
    """Run 1 of each, then run 2 of each, and so on: a slow hour hits all."""
    fdatasync = []
    for run in range(1, options.runs + 1):
        for rows, measure in found:
            if rows[0].failed:
                continue
            print(f"run {run}: {rows[0].name}, {rows[0].store} …", end=" ", file=sys.stderr, flush=True)
            began = time.monotonic()
            fdatasync.append(fdatasync_ms(servers.folder))
            others = Others()
            try:
                measure(servers)
            except Exception as error:  # the others go on
                rows[0].failed = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
                print(f"failed: {rows[0].failed}", file=sys.stderr)
                continue
            print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
            if (cores := others.cores()) > 0.25:
                print(f"warning: other programs used {cores:.2f} cores meanwhile", file=sys.stderr)
            for row in rows:
                row.others_cores = max(row.others_cores, cores)
    return fdatasync


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    found = entries(options)
    folder = tempfile.mkdtemp(prefix="jobqueue-peers-", dir=options.folder)
    os.chmod(folder, 0o755)  # PostgreSQL is another user
    try:
        with Servers(folder) as servers:
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
            report = {"tasks": options.tasks, "runs": options.runs, "servers": servers.versions(),
                      "machine": {"cores": os.cpu_count(), "memory_gib": round(memory)},
                      "fdatasync_ms": measure_all(options, found, servers)}
    finally:
        shutil.rmtree(folder)
    rows = [row for rows, _ in found for row in rows]
    report["rows"] = [row.json() for row in rows]
    report["ratios"] = ratios(rows, durable=False) + ratios(rows, durable=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    print(text(report, rows))
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was left behind")
