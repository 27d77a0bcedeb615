"""jobqueue itself, by its own `bench`, on each of its deployments."""
import json
import os
import subprocess
from pathlib import Path

from measure import SAMPLES
from programs import call

ROOT = Path(__file__).resolve().parents[3]
PACE_S = 0.005


DEPLOYMENTS = ["SQLite", "PostgreSQL", "PostgreSQL + Redis"]


def bench(program, store, servers, tasks):
    """Figures of the library, and those over HTTP."""
    servers.wipe()
    services = ["--database-url", servers.admin_url] if "PostgreSQL" in store else []
    if "Redis" in store:
        services += ["--redis-url", servers.redis_url]
    load = ["--tasks", tasks, "--queued", tasks, "--seconds", 1, "--latency-seconds", round(SAMPLES * PACE_S)]
    command = [program, "bench", "--json", "--folder", servers.folder, *load, *services]
    report = json.loads(call(command, servers.folder / "jobqueue.log"))
    each, latency = report["bytes_per_task"], report["latency_ms"]
    library = {"one": report["submit_one_per_s"], "bulk": report["submit_bulk_per_s"], "drain": report["drain_per_s"],
               "p50": latency["p50"], "p99": latency["p99"], "rss": report["rss_idle_mb"],
               "bytes": each["store"] + (each["redis"] or 0)}
    http = {"one": report["submit_http_one_per_s"], "bulk": report["submit_http_batch_per_s"]}
    return library, http


def build():
    """The release binary of this checkout."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "jobqueue"], cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/jobqueue"


def version(program):
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
