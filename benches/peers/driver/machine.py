"""What is measured of the machine and of processes."""
import os
import statistics
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def fdatasync_ms(folder):
    """The median time of a write of 8 kB made durable: what every commit waits for."""
    path, times = Path(folder) / "fdatasync", []
    with open(path, "wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 8192)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return statistics.median(times)


def processes():
    """Of each process: its id, its parent's, its group's, and the CPU ticks of it and of its children that have ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(entry.name), int(fields[1]), int(fields[2]), sum(map(int, fields[11:15]))


def rss_mb(groups):
    """Resident memory of all processes of these groups."""
    total = 0
    for pid, _, group, _ in processes():
        if group in groups:
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):
                pass
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


class Others:
    """How many cores those used, on average, that are neither the runner nor descend from it."""

    def __init__(self):
        self.began, self.busy = time.monotonic(), self.busy_ticks()

    def cores(self):
        return (self.busy_ticks() - self.busy) / TICKS_PER_S / (time.monotonic() - self.began)

    @staticmethod
    def busy_ticks():
        with open("/proc/stat") as stat:
            user, nice, system = map(int, stat.readline().split()[1:4])
        everyone = {pid: (parent, ticks) for pid, parent, _, ticks in processes()}

        def ours(pid):
            while pid in everyone and pid != os.getpid():
                pid = everyone[pid][0]
            return pid == os.getpid()

        return user + nice + system - sum(ticks for pid, (_, ticks) in everyone.items() if ours(pid))
