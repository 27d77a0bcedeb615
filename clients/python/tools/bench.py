"""How many no-op tasks a second some workers do: `python3 tools/bench.py --binary ../../target/release/jobqueue`.

They wait in the queue, which is paused until all workers have registered; the time is from its resume to the last result recorded.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from jobqueue import JobQueue, Signature  # noqa: E402
from tests.support import Server, WorkerProcess  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--tasks", type=int, default=30_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="on a real disk")
    options, further = parser.parse_known_args()
    os.environ["JOBQUEUE_BINARY"] = str(Path(options.binary).resolve())
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print(f"{once(Path(folder), options.tasks, options.workers, further):,.0f} tasks/s")


def once(folder: Path, tasks: int, workers: int, further: list[str]) -> float:
    server = Server(folder)
    queue = JobQueue("python", url=server.url)
    running = [WorkerProcess(server, "tests.tasks:app", *further) for _ in range(workers)]
    try:
        for worker in running:
            worker.says("registered as")
        queue.submit("noop", wait="30s")
        queue.pause_queue("python")
        queue.submit_many(Signature("noop", kwargs={}) for _ in range(tasks))
        began = time.monotonic()
        queue.resume_queue("python")
        while queue.get_queue_stats()["status_counts"]["success"] < tasks + 1:
            time.sleep(0.02)
        return tasks / (time.monotonic() - began)
    finally:
        for worker in running:
            worker.clear()
        server.stop()


if __name__ == "__main__":
    main()
