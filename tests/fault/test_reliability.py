#!/usr/bin/env python3
"""The report of faults: what is added up, what a failure does to it, what is refused."""
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reliability.py")


def line(case="fault.x/a", result="passed", times=1, recovery="-", workers=1, seed=7, commit="c1", full=10):
    return f"{case}\tkill -9\t{full}\t{result}\t{times}\t{recovery}\t{workers}\t{seed}\t2026-01-02T03:04:05Z\t{commit}\tbox\t6.0.5\t1.23.1\n"


def run(text):
    with tempfile.TemporaryDirectory() as folder:
        results, out = os.path.join(folder, "r.tsv"), os.path.join(folder, "r.md")
        with open(results, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([sys.executable, SCRIPT, results, out], capture_output=True, text=True)
        with open(results, encoding="utf-8") as file:
            left = file.read()
        if done.returncode:
            return done.stderr, left
        with open(out, encoding="utf-8") as file:
            return file.read(), left


class Report(unittest.TestCase):
    def test_adds_up_what_is_alike_and_keeps_the_slowest(self):
        text, left = run(line(recovery=900) + line(case="fault.x/b") + line(times=4, recovery=1250, seed=8))
        self.assertEqual(left, line(times=5, recovery=1250, seed=8) + line(case="fault.x/b"))
        self.assertIn("| `fault.x/a` | kill -9 | 5 of 10 | passed so far | 1.2 s | 1 | c1 | 2026-01-02 |", text)

    def test_keeps_other_commits_and_workers_apart_and_counts_them_together(self):
        text, left = run(line(times=4) + line(times=4, commit="c2") + line(times=2, workers=4))
        self.assertEqual(len(left.splitlines()), 3)
        self.assertIn("| 10 of 10 | passed | – | 1, 4 | c1 … c2 |", text)

    def test_counts_from_the_last_failure_on(self):
        text, left = run(line(times=9) + line(result="failed", commit="c2") + line(times=3, commit="c3"))
        self.assertEqual(len(left.splitlines()), 3)
        self.assertIn("| 3 of 10 | passed so far; failed 1 × before, last at c2 | – | 1 | c3 |", text)

    def test_does_not_add_across_a_failure(self):
        _, left = run(line(times=9) + line(result="failed") + line(times=3))
        self.assertEqual(len(left.splitlines()), 3)

    def test_says_when_the_last_one_failed(self):
        text, _ = run(line(times=9) + line(result="failed", commit="c2"))
        self.assertIn("| 0 of 10 | **failed** at c2 |", text)

    def test_refuses_what_is_no_result_and_leaves_the_file(self):
        for broken in ("fault.x/a\tkill\n", line(result="maybe"), line() + "\n"):
            text, left = run(broken)
            self.assertIn("not a line of results", text)
            self.assertEqual(left, broken)


if __name__ == "__main__":
    unittest.main()
