"""Celery, with Redis as broker and for results: one N | bulk N | paced N; the worker is Celery's own program."""
import os
import sys
import time

from celery import Celery, group

URL, BATCH, PACE_S = os.environ["REDIS_URL"], 1000, 0.005
app = Celery("bench", broker=URL, backend=URL)
app.conf.update(worker_send_task_events=False, broker_connection_retry_on_startup=True)


def now():
    """Microseconds of CLOCK_MONOTONIC, which all processes share."""
    return time.monotonic_ns() // 1000


def payload(t=0):
    """About 200 bytes of JSON. `t` is the moment of the call of submit, or 0."""
    return {"t": t, "user": 123456, "kind": "noop", "tags": ["a", "b"], "pad": "x" * 130}


@app.task(name="noop")
def noop(data):
    if data["t"]:
        waited = now() - data["t"]
        with open(os.environ["LATENCY_FILE"], "a") as file:
            file.write(f"{waited}\n")


def submit(mode, count):
    began = time.perf_counter()
    if mode == "one":
        for _ in range(count):
            noop.delay(payload())
    elif mode == "bulk":  # there is no bulk submission; a group is the nearest
        for first in range(0, count, BATCH):
            size = min(BATCH, count - first)
            group(noop.s(payload()) for _ in range(size)).apply_async(add_to_parent=False)
    else:
        for i in range(count):
            time.sleep(max(0, began + i * PACE_S - time.perf_counter()))
            noop.delay(payload(now()))
    print(count / (time.perf_counter() - began))


if __name__ == "__main__":
    submit(sys.argv[1], int(sys.argv[2]))
