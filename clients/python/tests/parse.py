"""Parses the files that Debian's packages bring."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from jobqueue import JobQueue

app = JobQueue("files")

ENTRY = re.compile(r"^(?P<package>[a-z0-9][a-z0-9+.-]*) \((?P<version>[^)]+)\) (?P<targets>[^;]*); (?P<more>.*)$")
SIGNED = re.compile(r"^ -- (?P<who>.*?) <(?P<address>[^>]*)>  ?(?P<when>.*)$")


def files() -> list[str]:
    """Every one of them that is on this machine, always in the same order."""
    found = [*Path("/usr/share/doc").glob("*/changelog.Debian*"), *Path("/usr/share/doc").glob("*/copyright")]
    found += [*Path("/var/lib/dpkg/info").glob("*.md5sums"), *Path("/var/lib/dpkg/info").glob("*.list")]
    return sorted({str(path) for path in found if path.is_file()})


@app.task(name="files.parse", max_retries=5)
def parse(path: str) -> dict[str, Any]:
    time.sleep(float(os.environ.get("PARSE_PAUSE", 0)))
    raw = Path(path).read_bytes()
    text = (gzip.decompress(raw) if path.endswith(".gz") else raw).decode("utf-8", "replace")
    told: dict[str, Any] = {"sha256": hashlib.sha256(raw).hexdigest(), "lines": text.count("\n")}
    if "changelog" in path:
        told.update(changelog(text))
    elif path.endswith("copyright"):
        told.update(licences(text))
    else:
        told["entries"] = sum(1 for line in text.splitlines() if line.strip())
    return told


def changelog(text: str) -> dict[str, Any]:
    heads = [match for match in map(ENTRY.match, text.splitlines()) if match]
    people = Counter(match["who"] for match in map(SIGNED.match, text.splitlines()) if match)
    return {"versions": [head["version"] for head in heads], "people": dict(people)}


def licences(text: str) -> dict[str, Any]:
    """Of a copyright file by the machine-readable form (DEP 5); of others there are none."""
    fields = Counter(line.split(":", 1)[0] for line in text.splitlines() if re.match(r"[A-Z][A-Za-z-]*:", line))
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("License:")]
    return {"fields": dict(fields), "licences": dict(Counter(names))}
