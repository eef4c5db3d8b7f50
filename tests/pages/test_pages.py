#!/usr/bin/env python3
"""share/: what is generated is not stale, and roff and the shells take it. test_pages.py ROOT PROGRAM"""
import filecmp
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import shells

ROOT, PROGRAM = sys.argv[1:3]
SHARE = os.path.join(ROOT, "share")
BASH = os.path.join(SHARE, "bash-completion", "completions", "tokenfix")
ZSH = os.path.join(SHARE, "zsh", "site-functions", "_tokenfix")
FISH = os.path.join(SHARE, "fish", "vendor_completions.d", "tokenfix.fish")
REGENERATE = "after a change of commands, options or the version run: scripts/golden " + os.path.relpath(PROGRAM, ROOT)
MIGRATION = "004_fix_melted_token_status"


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


def tokenfix(*words):
    done = run(PROGRAM, *words)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


COMMANDS = tokenfix("help", "--list", "commands").splitlines()
HELP = {command: tokenfix(*command.split(), "--help") for command in ["", *COMMANDS]}


def options_of(text):
    """The long options that a help text lists."""
    return re.findall(r"^  (?:    |-\w, )--([A-Za-z-]+)", text, re.M)


def files_below(folder):
    return sorted(os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names)


class Generated(unittest.TestCase):
    def test_nothing_is_stale(self):
        with tempfile.TemporaryDirectory() as fresh:
            done = run(os.path.join(ROOT, "scripts", "generate"), PROGRAM, fresh)
            # the driver says so where a killed process of the same number left its counters in /dev/shm
            said = [line for line in done.stderr.splitlines() if "Falling back to malloc for counters" not in line]
            self.assertEqual((done.returncode, said), (0, []))
            self.assertEqual(files_below(SHARE), files_below(fresh), REGENERATE)
            for name in files_below(fresh):
                same = filecmp.cmp(os.path.join(SHARE, name), os.path.join(fresh, name), shallow=False)
                self.assertTrue(same, f"share/{name} is stale; {REGENERATE}")

    def test_a_stale_file_would_be_noticed(self):
        """Every option stands in a page and in the three completions: none of them can lack it and be fresh."""
        for path, form in ((BASH, " --%s"), (ZSH, "--%s["), (FISH, " -l %s ")):
            with open(path, encoding="utf-8") as file:
                completion = file.read().replace("=[", "[").replace("=-[", "[").replace("='--", "=' --")
            for command, text in HELP.items():
                for option in options_of(text):
                    self.assertIn(form % option, completion, command)


@unittest.skipUnless(shutil.which("groff"), "no groff here")
class Manual(unittest.TestCase):
    pages = files_below(os.path.join(SHARE, "man"))

    def path(self, page):
        return os.path.join(SHARE, "man", page)

    def rendered(self, page):
        done = run("groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=200n", self.path(page))
        self.assertEqual((done.returncode, done.stderr), (0, ""), page)
        return re.sub(r".\x08", "", done.stdout)

    def test_every_command_has_a_page(self):
        expected = ["man1/tokenfix.1", "man5/tokenfix.conf.5"] + [f"man1/tokenfix-{c.replace(' ', '-')}.1" for c in COMMANDS]
        self.assertEqual(self.pages, sorted(expected))

    def test_groff_warns_of_nothing_and_shows_every_option(self):
        for command, text in HELP.items():
            shown = self.rendered("man1/tokenfix" + ("-" + command.replace(" ", "-") if command else "") + ".1")
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"):
                if section != "EXIT STATUS" or "Exit status:" in text:
                    self.assertRegex(shown, rf"(?m)^{section}$", command)
            for option in options_of(text):
                self.assertRegex(shown, rf"(?m)^ +(-\w, )?--{option}\b", command)
            self.assertNotIn("\u2010", shown)  # a hyphen that no shell knows

    def test_every_key_of_the_configuration_is_an_option(self):
        shown = self.rendered("man5/tokenfix.conf.5")
        keys = re.findall(r"^ {7}([A-Za-z-]+) = \S", shown.split("\nKEYS\n")[1], re.M)
        known = {option for text in HELP.values() for option in options_of(text)}
        known |= set(re.findall(r"^      ([a-z-]+) [A-Z]+", "\n".join(HELP.values()), re.M))  # those without a flag
        self.assertGreater(len(keys), 50)
        self.assertEqual([key for key in keys if key not in known], [])
        for key in ("confirm", "yes", "resume", "config"):
            self.assertNotIn(key, keys)

    def test_examples_are_command_lines_that_the_program_reads(self):
        shown = self.rendered("man1/tokenfix.1").split("\nEXAMPLES\n")[1].split("\nSEE ALSO\n")[0]
        lines = re.findall(r"^ {7}tokenfix (.*)$", shown, re.M)
        self.assertGreater(len(lines), 5)
        for line in lines:
            tokenfix(*shlex.split(line), "--help")

    @unittest.skipUnless(shutil.which("man"), "no man here")
    def test_man_shows_them_without_a_warning(self):
        env = dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8", MANPAGER="cat", TERM="dumb")
        for page in ("man1/tokenfix.1", "man1/tokenfix-up.1", "man1/tokenfix-sandbox-start.1", "man5/tokenfix.conf.5"):
            done = run("man", "--warnings=w", "-l", self.path(page), env=env)
            self.assertEqual((done.returncode, done.stderr), (0, ""), page)
            self.assertTrue(done.stdout.startswith("TOKENFIX"), page)


# What is typed, and what the words offered for its end are.
ROWS = [
    ("tokenfix sta", "status"),
    ("tokenfix --db x sta", "status"),
    ("tokenfix --db=x sta", "status"),
    ("tokenfix up --strat", "--strategy"),
    ("tokenfix --json up --db wallet --can", "--canary"),
    ("tokenfix up --state", "--state-db"),
    ("tokenfix up --strategy ", "journal transaction"),
    ("tokenfix up --strategy=", "journal transaction"),
    ("tokenfix up --strategy=j", "journal"),
    ("tokenfix --color al", "always"),
    ("tokenfix up ", MIGRATION),
    ("tokenfix up --canary 5 --yes 0", MIGRATION),
    ("tokenfix up --host 127.0.0.1:27017 0", MIGRATION),
    ("tokenfix down --resume=", MIGRATION),
    ("tokenfix balance npub1anna 0", MIGRATION),
    ("tokenfix validate --print-role=au", "audit auditor"),
    ("tokenfix sandbox s", "seed start status stop"),
    ("tokenfix sandbox start --stand", "--standalone"),
    ("tokenfix help sandbox se", "seed"),
    ("tokenfix help prev", "preview"),
    ("tokenfix up --config FOLDER/fi", "FOLDER/file"),
    ("tokenfix up --config=FOLDER/fi", "FOLDER/file"),
    ("tokenfix create --dir FOLDER/su", "FOLDER/sub"),
]


class Completion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        cls.folder = os.path.join(cls.home.name, "there")
        os.makedirs(os.path.join(cls.folder, "sub"))
        open(os.path.join(cls.folder, "file"), "w", encoding="utf-8").close()
        cls.env = dict(os.environ, HOME=cls.home.name, HISTFILE="", TERM="dumb", LC_ALL="C.UTF-8", TOKENFIX_URI="mongodb://nobody",
                       XDG_CONFIG_HOME=cls.home.name, XDG_DATA_HOME=cls.home.name,
                       PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"])
        cls.rows = [(typed.replace("FOLDER", cls.folder), offered.replace("FOLDER", cls.folder)) for typed, offered in ROWS]

    @classmethod
    def tearDownClass(cls):
        cls.home.cleanup()

    def check(self, complete):
        """`complete` makes of lines the lists of words that their ends may be."""
        expected = {typed: sorted(offered.split()) for typed, offered in self.rows}
        for command in COMMANDS:
            if "Commands:" not in HELP[command]:
                expected[f"tokenfix {command} --"] = sorted("--" + option for option in options_of(HELP[command]) + options_of(HELP[""]))
        for typed, words in zip(expected, complete(list(expected))):
            # behind a = only the value counts; some write that = themselves, and a / behind a folder
            offered = sorted({re.sub(r"^--[a-z-]+=(?=.)", "", word).rstrip("=/") for word in words})
            self.assertEqual(offered, expected[typed], typed)

    def check_shell(self, shell):
        def complete(lines):
            return [shell.complete(line)[line.rindex(" ") + 1:].split() for line in lines]
        try:
            self.check(complete)
        finally:
            shell.close()

    @unittest.skipUnless(shutil.which("bash"), "no bash here")
    def test_bash_completes(self):
        self.assertEqual(run("bash", "-n", BASH).stderr, "")
        self.check_shell(shells.bash(BASH, self.env))

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_completes(self):
        self.assertEqual(run("zsh", "-n", ZSH).stderr, "")
        self.check_shell(shells.zsh(os.path.dirname(ZSH), self.env))

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish_completes(self):
        self.assertEqual(run("fish", "-n", FISH).stderr, "")

        def complete(lines):
            asked = "; ".join(f"complete -C {shlex.quote(line)}; echo END" for line in lines)
            done = run("fish", "--no-config", "-c", f"source {FISH}; {asked}", env=self.env)
            # the driver says so where a killed process of the same number left its counters in /dev/shm
            said = [line for line in done.stderr.splitlines() if "Falling back to malloc for counters" not in line]
            self.assertEqual((done.returncode, said), (0, []))
            return [[offer.split("\t")[0] for offer in part.splitlines() if offer] for part in done.stdout.split("END\n")]
        self.check(complete)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
