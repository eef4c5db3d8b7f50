#!/usr/bin/env python3
"""The layer check itself: an intact tree passes; every mutilation fails with the expected line."""
import os
import subprocess
import sys
import tempfile
import unittest

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.py")

INTACT = {
    "src/main.c": '#include "cmd/cmd.h"\nint main(void) { return 0; }\n',
    "src/base/a.h": "#include <tokenfix/error.h>\n#include <bson/bson.h>\n",
    "src/base/a.c": '#include "base/a.h"\n/* npub in a comment, printf(stdout) too */\nchar *s = "printf(x)";\n',
    "src/db/b.c": '#include "base/a.h"\n#include <mongoc/mongoc.h>\nint snprintf_user(char *b) { return snprintf(b, 1, "x"); }\n',
    "src/store/c.c": '#include "db/b.h"\n// cashu_tokens is only spoken of here\n',
    "src/engine/d.c": '#include "check/x.h"\n#include "backup/x.h"\nint pending, spent, metadata;\n',
    "src/report/e.c": '#include "base/a.h"\nvoid f(void) { printf("x"); }\n',
    "src/notify/h.c": '#include "report/e.h"\n',
    "src/cmd/f.c": '#include "sandbox/x.h"\n#include "engine/d.h"\nvoid f(void) { fputs("npub", stdout); }\n',
    "src/sandbox/g.c": '#include "base/a.h"\nchar *cashu = "cashu_tokens";\n',
    "migrations/001_x.c": "#include <tokenfix/migration.h>\n",
}

# name, file, text put at its end, what the check must say
MUTILATIONS = [
    ("base includes db", "src/base/a.c", '#include "db/b.h"\n', "'base' may not include 'db'"),
    ("db includes store", "src/db/b.c", '#include "store/c.h"\n', "'db' may not include 'store'"),
    ("store includes engine", "src/store/c.c", '  #  include "engine/d.h"\n', "'store' may not include 'engine'"),
    ("engine includes report", "src/engine/d.c", '#include "report/e.h"\n', "'engine' may not include 'report'"),
    ("engine includes cmd", "src/engine/d.c", '#include "cmd/f.h"\n', "'engine' may not include 'cmd'"),
    ("report includes engine", "src/report/e.c", '#include "engine/d.h"\n', "'report' may not include 'engine'"),
    ("notify includes db", "src/notify/h.c", '#include "db/b.h"\n', "'notify' may not include 'db'"),
    ("notify knows the data", "src/notify/h.c", 'char *f = "melted";\n', "'melted' is a word of the token data"),
    ("notify prints", "src/notify/h.c", 'void f(void) { puts("a"); }\n', "'puts': only"),
    ("sandbox includes db", "src/sandbox/g.c", '#include "db/b.h"\n', "'sandbox' may not include 'db'"),
    ("main includes engine", "src/main.c", '#include "engine/d.h"\n', "'main' may not include 'engine'"),
    ("base includes the driver", "src/base/a.c", "#include <mongoc/mongoc.h>\n", "knows no MongoDB"),
    ("a relative include", "src/db/b.c", '#include "../store/c.h"\n', "is not written as"),
    ("a bare include", "src/db/b.c", '#include "b.h"\n', "is not written as"),
    ("angle brackets around our own", "src/db/b.c", "#include <engine/d.h>\n", "are written"),
    ("an unknown folder", "src/magic/x.c", "int x;\n", "not a folder of the design"),
    ("a field in a string", "src/engine/d.c", 'char *f = "$npub";\n', "'npub' is a word of the token data"),
    ("a collection in a string", "src/db/b.c", 'char *f = "cashu_tokens";\n', "'cashu_tokens' is a word"),
    ("a field in code", "src/check/x.c", "int spent_at;\n", "'spent_at' is a word"),
    ("a nested field", "src/backup/x.c", 'char *f = "proofs.secret";\n', "'proofs' is a word"),
    ("a value", "src/store/c.c", 'char *f = "unspent";\n', "'unspent' is a word"),
    ("printf in the engine", "src/engine/d.c", 'void f(void) { printf("x"); }\n', "'printf': only"),
    ("fprintf to stderr", "src/db/b.c", 'void f(void) { fprintf(stderr, "x"); }\n', "'fprintf': only"),
    ("fputs over two lines", "src/store/c.c", 'void f(void) { fputs("a",\n stdout); }\n', "'fputs': only"),
    ("puts in base", "src/base/a.c", 'void f(void) { puts("a"); }\n', "'puts': only"),
    ("perror in check", "src/check/x.c", 'void f(void) { perror("a"); }\n', "'perror': only"),
    ("a comment that ends before the breach", "src/db/b.c", '/* " */ char *f = "npub"; /* */\n', "'npub' is a word"),
    ("a migration that includes the engine", "migrations/001_x.c", '#include "engine/d.h"\n', "a migration includes"),
    ("a test's migration that includes db", "tests/migrations/002_x.c", "#include <db/b.h>\n", "a migration includes"),
]


def build(folder, file=None, text=None):
    for name, content in INTACT.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(content)
    if file:
        path = os.path.join(folder, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a", encoding="utf-8") as out:
            out.write(text)


def check(folder):
    return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, check=False)


class Layers(unittest.TestCase):
    def test_intact_tree_passes(self):
        with tempfile.TemporaryDirectory() as folder:
            build(folder)
            done = check(folder)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_mutilation_is_found(self):
        for name, file, text, expected in MUTILATIONS:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                build(folder, file, text)
                done = check(folder)
                self.assertEqual(done.returncode, 1, name)
                self.assertEqual(len(done.stdout.splitlines()), 1, done.stdout)
                self.assertIn(expected, done.stdout)
                self.assertIn(os.path.join(folder, file), done.stdout)

    def test_empty_tree_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(check(folder).returncode, 1)


if __name__ == "__main__":
    unittest.main()
