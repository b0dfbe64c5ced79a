"""The package as others get it: built as a wheel, installed into an empty project, typed, and good for old Pythons."""

from __future__ import annotations

import ast
import os
from pathlib import Path
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

from tests.harness import SDK, server

SOURCES = sorted((SDK / "src").rglob("*.py"))
PAY = """
from switchyard import Switchyard
import switchyard
assert "site-packages" in switchyard.__file__, switchyard.__file__
payment = Switchyard().payments.create(
    external_user_id="user-42", email="buyer@shop.example", amount_minor=50_000, currency="IDR", method="qris",
    return_url="https://shop.example/thanks",
)
amount: int = payment["amount_minor"]
print(payment["payment_id"], amount, switchyard.__version__)
"""


class Package(unittest.TestCase):
    def test_a_wheel_works_in_an_empty_project(self) -> None:
        with tempfile.TemporaryDirectory(prefix="switchyard-wheel-") as directory:
            empty = Path(directory)

            def run(*command: str, **more: str) -> str:
                environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
                done = subprocess.run(
                    command, cwd=empty, env={**environment, **more}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
                self.assertEqual(done.returncode, 0, done.stdout)
                return done.stdout

            run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(empty), str(SDK))
            wheel = next(empty.glob("switchyard_pay-*-py3-none-any.whl"))
            with zipfile.ZipFile(wheel) as archive:
                names = archive.namelist()
                metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
            self.assertIn("switchyard/py.typed", names)
            self.assertTrue(any(name.endswith("LICENSE") for name in names))
            self.assertFalse([name for name in names if not re.match(r"switchyard(/|_pay-)", name)])
            self.assertIn("Requires-Python: >=3.9", metadata)
            self.assertIn("License-Expression: Apache-2.0", metadata)
            self.assertNotIn("Requires-Dist", metadata)

            run(sys.executable, "-m", "venv", "venv")
            python = str(empty / "venv" / "bin" / "python")
            run(python, "-m", "pip", "install", "--quiet", "--no-index", str(wheel))
            (empty / "pay.py").write_text(PAY)
            app = server().app()
            printed = run(python, "pay.py", PAY_URL=server().url, PAY_KEY=app["public_key"], PAY_SECRET=app["secret"])
            self.assertRegex(printed, r"^pay_\w+ 50000 \d+\.\d+\.\d+\n$")
            # The types come with it.
            run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "pay.py")

    def test_everything_is_typed(self) -> None:
        # As the oldest Python would have it; the frameworks of the examples are for younger ones.
        younger = f"--python-version={sys.version_info[0]}.{sys.version_info[1]}"
        for what in (["src", "tests", "bench", "make_async.py"], ["examples", younger]):
            done = subprocess.run([sys.executable, "-m", "mypy", *what], cwd=SDK, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_oldest_python_reads_it(self) -> None:
        for path in SOURCES:
            ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))

    def test_it_needs_the_standard_library_alone(self) -> None:
        known = getattr(sys, "stdlib_module_names", None)
        if known is None:
            self.skipTest("this Python does not say what its library has")
        for path in SOURCES:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                modules = [name.name for name in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    modules.append(node.module or "")
                for module in modules:
                    self.assertIn(module.partition(".")[0], known, str(path))

    def test_every_file_says_what_lives_in_it(self) -> None:
        for path in SOURCES:
            self.assertTrue(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), str(path))


if __name__ == "__main__":
    unittest.main()
