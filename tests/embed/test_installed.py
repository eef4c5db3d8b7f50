#!/usr/bin/env python3
"""What `cmake --install` laid out: libtokenfix, its headers and package files take examples/embed as C and as C++, with gcc and clang.
test_installed.py ROOT INSTALLED OUT COMPILER SANITIZERS: the example that was linked stays in OUT. With sanitizers in the library only
the compiler that built it can link with it; the other one compiles."""
import os
import re
import shutil
import subprocess
import sys
import unittest

ROOT, PREFIX, OUT, COMPILER, SANITIZERS = sys.argv[1:6]
EXAMPLE = os.path.join(ROOT, "examples", "embed")
INCLUDE = os.path.join(PREFIX, "include", "tokenfix")
HEADERS = sorted(os.listdir(INCLUDE))
# gnu: the headers of libmongoc 1.23 need more than ISO C
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Werror"]
C = ["-std=gnu17", "-Wstrict-prototypes", *STRICT]
# C++ would have every field of a designated initializer named
CXX = ["-std=gnu++20", "-x", "c++", "-Wno-missing-field-initializers", *STRICT]
COMPILERS = [("gcc", C), ("g++", CXX), ("clang", C), ("clang++", CXX)]


def find(kind):
    for path, _, names in os.walk(PREFIX):
        for name in names:
            if name == kind:
                return os.path.join(path, name)
    raise AssertionError(f"{kind} was not installed")


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, **more)


def pkg_config(*words):
    env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(find("libtokenfix.pc")))
    done = run("pkg-config", *words, "libtokenfix", env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def links(compiler):
    return not SANITIZERS or compiler.startswith(COMPILER)


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = find("libtokenfix.so")
        cls.folder = os.path.dirname(cls.library)
        shutil.rmtree(OUT, ignore_errors=True)
        os.makedirs(OUT)

    def good(self, *words, **more):
        done = run(*words, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), words)
        return done.stdout

    def runs(self, program):
        done = run(program, env=dict(os.environ, LD_LIBRARY_PATH=self.folder))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("libtokenfix " + pkg_config("--modversion")[0], done.stderr)

    def test_it_exports_what_the_headers_declare_and_nothing_else(self):
        declared = set()
        for name in HEADERS:
            with open(os.path.join(INCLUDE, name), encoding="utf-8") as file:
                text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
            text = re.sub(r"^#.*(\\\n.*)*$", "", text, flags=re.M)
            text = re.sub(r"static inline .*?\n}", "", text, flags=re.S)
            declared |= set(re.findall(r"^[a-z][\w \*]*?\b((?:tf|tokenfix)_\w+)\(", text, re.M))
        exported = set(re.findall(r" [TWVDBR] ((?:tf|tokenfix)_\w+)", self.good("nm", "-D", "--defined-only", self.library)))
        self.assertGreater(len(declared), 25)
        self.assertEqual(exported - {"tf_migrations", "tf_migrations_count"}, declared)

    def test_the_soname_has_the_minor_version(self):
        version = pkg_config("--modversion")[0]
        shown = self.good("readelf", "-d", self.library)
        self.assertIn(f"soname: [libtokenfix.so.{version.rsplit('.', 1)[0]}]", shown)
        for library in ("smartcols", "libcurl", "inih"):
            self.assertNotIn(library, shown)

    def test_every_header_stands_alone_in_cxx(self):
        """In C the project's own sources see to that."""
        self.assertEqual(HEADERS, ["api.h", "bson.h", "cleanup.h", "error.h", "migration.h", "repair.h", "tokenfix.h", "version.h"])
        for name in HEADERS:
            self.good("g++", *CXX, *pkg_config("--cflags"), "-fsyntax-only", "-", input=f"#include <tokenfix/{name}>\n")

    def test_the_example_compiles_with_every_compiler_as_c_and_as_cxx(self):
        source = os.path.join(EXAMPLE, "mark_melted.c")
        for compiler, flags in COMPILERS:
            if not shutil.which(compiler):
                print(f"no {compiler} here")
                continue
            built = os.path.join(OUT, "with-" + compiler)
            self.good(compiler, *flags, *pkg_config("--cflags"), "-c", source, "-o", built + ".o")
            if links(compiler):
                sanitizers = ["-fsanitize=" + SANITIZERS] if SANITIZERS else []
                self.good(compiler, built + ".o", *sanitizers, *pkg_config("--libs"), "-o", built)
                self.runs(built)

    def test_find_package_builds_the_example_that_is_run_on_a_server(self):
        build = os.path.join(OUT, "cmake")
        sanitizers = "-fsanitize=" + SANITIZERS if SANITIZERS else ""
        self.good("cmake", "-S", EXAMPLE, "-B", build, "-DCMAKE_PREFIX_PATH=" + PREFIX, "-DCMAKE_C_COMPILER=" + COMPILER,
                  "-DCMAKE_C_FLAGS=" + sanitizers)
        self.good("cmake", "--build", build)
        self.runs(os.path.join(build, "mark_melted"))

    def test_pages_completions_and_units_are_there(self):
        for name in ("tokenfix", "tokenfix.1", "tokenfix-up.1", "tokenfix.conf.5", "_tokenfix", "tokenfix.fish", "tokenfix-audit.service",
                     "tokenfix-audit-once.timer", "tokenfix.conf.example", "mark_melted.c"):
            find(name)
        self.assertTrue(os.path.exists(os.path.join(PREFIX, "share", "bash-completion", "completions", "tokenfix")))
        done = run(os.path.join(PREFIX, "bin", "tokenfix"), "--version")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
