#!/usr/bin/env python3
"""docs/deploy: what the units, the crontab and the manifest call exists, and systemd takes the units. test_deploy.py ROOT BUILD PROGRAM"""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD, PROGRAM = sys.argv[1:4]
DEPLOY = os.path.join(ROOT, "docs", "deploy")
UNITS = ["tokenfix-audit.service", "tokenfix-audit-once.service"]


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def accepts(words):
    """The program reads these words; --help keeps it from connecting."""
    return subprocess.run([PROGRAM, *words, "--help"], capture_output=True, check=False).returncode == 0


class Deploy(unittest.TestCase):
    def unit(self, name):
        return text_of(os.path.join(BUILD, "deploy", name))

    def test_units_call_options_that_exist(self):
        for name in UNITS:
            line = re.search(r"^ExecStart=(.*)$", self.unit(name), re.M).group(1)
            words = shlex.split(line)
            self.assertTrue(words[0].endswith("/bin/tokenfix"), line)
            self.assertTrue(accepts(words[1:]), line)
            self.assertFalse(accepts(words[1:] + ["--no-such-option"]), line)

    def test_units_are_hardened_and_filled_in(self):
        for name in UNITS:
            unit = self.unit(name)
            self.assertNotIn("@", unit.replace("SystemCallFilter=@system-service", "").replace("SystemCallFilter=~@privileged", ""))
            for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "User=tokenfix", "CapabilityBoundingSet="):
                self.assertIn("\n" + line, unit)

    def test_service_speaks_to_systemd(self):
        unit = self.unit("tokenfix-audit.service")
        for line in ("Type=notify", "WatchdogSec=60s", "ExecReload=/bin/kill -HUP $MAINPID"):
            self.assertIn("\n" + line, unit)

    def test_crontab_calls_options_that_exist(self):
        found = re.findall(r"tokenfix ((?:--[a-z-]+ (?:/\S+ )?)*audit)", text_of(os.path.join(DEPLOY, "crontab")))
        self.assertEqual(len(found), 1)
        self.assertTrue(accepts(shlex.split(found[0])), found)

    def test_manifest_calls_the_program_and_no_shell(self):
        manifest = text_of(os.path.join(DEPLOY, "cronjob.yaml"))
        self.assertIn('command: ["tokenfix"]', manifest)
        words = re.findall(r'"([^"]*)"', re.search(r"^ *args: \[(.*)\]$", manifest, re.M).group(1))
        self.assertIn("audit", words)
        self.assertTrue(accepts(words), words)
        self.assertFalse(accepts([*words, "--no-such-option"]), words)

    def test_manifest_runs_without_rights(self):
        manifest = text_of(os.path.join(DEPLOY, "cronjob.yaml"))
        for line in ("runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false", 'drop: ["ALL"]',
                     "concurrencyPolicy: Forbid", "automountServiceAccountToken: false"):
            self.assertIn(line, manifest)

    def test_every_key_of_the_example_is_an_option(self):
        listed = subprocess.run([PROGRAM, "audit", "--help"], capture_output=True, check=True, text=True).stdout
        listed += subprocess.run([PROGRAM, "--help"], capture_output=True, check=True, text=True).stdout
        keys = re.findall(r"^#?([a-z-]+) = ", text_of(os.path.join(DEPLOY, "tokenfix.conf.example")), re.M)
        self.assertGreater(len(keys), 8)
        for key in keys:
            self.assertRegex(listed, rf"--{key}[ =\[]")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
    def test_systemd_takes_the_units(self):
        with tempfile.TemporaryDirectory() as folder:
            names = UNITS + ["tokenfix-audit-once.timer"]
            for name in names:
                source = os.path.join(DEPLOY, name) if name.endswith(".timer") else os.path.join(BUILD, "deploy", name)
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    out.write(re.sub(r"^ExecStart=\S+", "ExecStart=" + PROGRAM, text_of(source), flags=re.M))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", *[os.path.join(folder, n) for n in names]],
                                  capture_output=True, text=True, check=False)
            ours = [line for line in done.stderr.splitlines() if "tokenfix" in line]
            self.assertEqual(ours, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
