"""The types are those of the committed document of the API, and the options are those that it has."""

from __future__ import annotations

import json
import subprocess
import sys
import unittest

from jobqueue import AsyncClient, Client, TaskOptions, _types

from .support import PACKAGE, REPOSITORY

#: Of a submission, but no options: what is run, and with what.
NOT_OPTIONS = {"name", "args", "kwargs"}


class Types(unittest.TestCase):
    def test_are_current(self) -> None:
        script = PACKAGE / "tools" / "generate_types.py"
        check = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
        self.assertEqual(check.returncode, 0, check.stderr)

    def test_each_schema_has_one(self) -> None:
        document = json.loads((REPOSITORY / "docs" / "openapi.json").read_text(encoding="utf-8"))
        missing = [name for name in document["components"]["schemas"] if not hasattr(_types, name)]
        self.assertEqual(missing, [])

    def test_every_option_of_a_submission_is_known(self) -> None:
        known = set(_types.NewTask.__annotations__) - NOT_OPTIONS
        self.assertEqual(known - set(TaskOptions.__annotations__), set())

    def test_both_clients_can_do_the_same(self) -> None:
        def methods(kind: type) -> set[str]:
            return {name for name in dir(kind) if not name.startswith("_")}

        self.assertEqual(methods(Client), methods(AsyncClient))


if __name__ == "__main__":
    unittest.main()
