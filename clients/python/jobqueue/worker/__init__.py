"""A worker: leases tasks from a server, runs them, and tells what came of them."""

from .settings import Settings
from .worker import Worker

__all__ = ["Settings", "Worker"]
