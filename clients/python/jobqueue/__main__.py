"""`python -m jobqueue worker module:app` runs the tasks of an app; `python -m jobqueue child module:app` does so for the server."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from .app import JobQueue
from .errors import JobQueueError

LEVELS = ("debug", "info", "warning", "error")


def load(target: str) -> JobQueue:
    """`module:app`, or `module` where it has only one."""
    module_name, _, name = target.partition(":")
    sys.path.insert(0, os.getcwd())
    module = importlib.import_module(module_name)
    if name:
        app = getattr(module, name, None)
        if not isinstance(app, JobQueue):
            raise SystemExit(f"{target}: {'no JobQueue' if app is not None else 'there is none of this name'} in {module_name}")
        return app
    found = {id(value): value for value in vars(module).values() if isinstance(value, JobQueue)}
    if len(found) != 1:
        raise SystemExit(f"{module_name} has {len(found)} JobQueues: name one, as {module_name}:app")
    return next(iter(found.values()))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m jobqueue", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _worker(commands.add_parser("worker", help="run the tasks of an app", description="Runs the tasks of an app."))
    child = commands.add_parser("child", help='run tasks that come by standard input, for `mode = "persistent"` of the server')
    child.add_argument("target", metavar="MODULE:APP")
    child.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    child.add_argument("--log-level", choices=LEVELS, help="also keep what `logging` is told from this level on")
    return top


def _worker(command: argparse.ArgumentParser) -> None:
    def number(name: str, default: int) -> int:
        return int(os.environ.get(name) or default)

    add = command.add_argument
    add("target", metavar="MODULE:APP", help="where the JobQueue with the tasks is")
    add("--url", help="the server [JOBQUEUE_URL, else that of the app]")
    add("--concurrency", type=int, default=number("WORKER_CONCURRENCY", 4), help="tasks that run at once (4)")
    add(
        "--queues",
        default=os.environ.get("WORKER_QUEUES", ""),
        help="names, by commas (those that the app's tasks are submitted to)",
    )
    add("--labels", default=os.environ.get("WORKER_LABELS", ""), help="what tasks may require, by commas")
    add("--pool", choices=("threads", "processes"), default="threads", help="what tasks run in (threads)")
    add("--prefetch", type=int, default=250, help="most short tasks fetched ahead (250)")
    add("--drain-timeout", type=float, default=25.0, metavar="SECONDS", help="for tasks that run at a stop (25)")
    add("--cancel-grace", type=float, default=5.0, metavar="SECONDS", help="for tasks that are cancelled (5)")
    most = number("WORKER_MAX_TASKS_PER_CHILD", 1000)
    add("--max-tasks-per-child", type=int, default=most, help="then another process takes its place; 0: never (1000)")
    add("--name", help="to tell workers apart by")
    add("--log-level", choices=LEVELS, default="info", help="of this program's own log (info)")
    add("--task-log-level", choices=(*LEVELS, "off"), default="info", help="of what is kept with the tasks (info)")


def worker(arguments: list[str] | None = None) -> int:
    return main(["worker", *(sys.argv[1:] if arguments is None else arguments)])


def run_worker(options: argparse.Namespace) -> int:
    from ._wire import Endpoint
    from .worker import Settings, Worker
    from .worker.worker import configure_logging

    task_level = None if options.task_log_level == "off" else options.task_log_level
    configure_logging(options.log_level, task_level)
    app = load(options.target)
    if options.url:
        app._pool.endpoint = Endpoint.of(options.url, None)
    try:
        settings = Settings(
            concurrency=options.concurrency,
            queues=[name for name in options.queues.split(",") if name],
            labels=[name for name in options.labels.split(",") if name],
            pool=options.pool,
            prefetch=options.prefetch,
            drain_timeout=options.drain_timeout,
            cancel_grace=options.cancel_grace,
            max_tasks_per_child=options.max_tasks_per_child,
            name=options.name,
        )
        made = Worker(app, settings, target=options.target, log_level=task_level)
    except ValueError as error:
        raise SystemExit(f"jobqueue worker: {error}") from None
    try:
        return made.run(signals=True)
    except KeyboardInterrupt:
        return 130  # It was not registered yet.
    except JobQueueError as error:
        print(f"jobqueue worker: {error}", file=sys.stderr)
        return 1


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.command == "worker":
        return run_worker(options)
    from .child import main as child

    return child(load(options.target), options.worker, options.log_level)


if __name__ == "__main__":
    sys.exit(main())
