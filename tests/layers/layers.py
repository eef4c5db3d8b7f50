#!/usr/bin/env python3
"""The rules between the folders of src/, read from the text. `layers.py ROOT`: exit 1 and a line for every breach."""
import os
import re
import sys

# folder: whom it may include besides itself and <tokenfix/...>
MAY = {
    "base": [],
    "db": ["base"],
    "store": ["db", "base"],
    "backup": ["store", "db", "base"],
    "check": ["store", "db", "base"],
    "engine": ["check", "backup", "store", "db", "base"],
    "report": ["base"],
    "notify": ["report", "base"],
    "sandbox": ["base"],
    "cmd": ["engine", "check", "backup", "store", "db", "notify", "report", "sandbox", "base"],
    "embed": ["engine", "check", "backup", "store", "db", "base"],
    "serve": ["engine", "check", "backup", "store", "db", "report", "base"],
    "": ["cmd"],  # main.c
}
# libbson is a data format; the driver itself belongs to db and what lies above it, and to the sandbox
NO_DRIVER = ["base", "report", "notify"]
GENERIC = ["db", "store", "backup", "check", "engine", "notify", "embed"]
SILENT = ["base", "db", "store", "backup", "check", "engine", "sandbox", "notify", "embed"]
DATA = """cashu_tokens cashu_wallets npub wallet_id proofs mint_url total_amount transaction_type transaction_id
spent_at createdAt updatedAt created_at updated_at melted unspent quote_id parent_transaction_id lightning_invoice
encoded_token p2pk_pubkey p2pk_privkey wallet_config created_via dleq lightning received minted cashu""".split()
PRINTS = re.compile(
    r"(?<!format\()\b(printf|vprintf|puts|putchar|perror|psignal|(?:fprintf|vfprintf|fputs|fputc|putc|fwrite|dprintf|write|fflush)\s*\("
    r"[^;]*\b(?:stdout|stderr|STDOUT_FILENO|STDERR_FILENO))\b")
DATA_WORD = re.compile(r"(?<![A-Za-z0-9_])(" + "|".join(DATA) + r")(?![A-Za-z0-9_])")
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without(text, strings):
    """Comments become blanks, line ends stay; string literals too where `strings` is set."""
    def blank(match):
        found = match.group(0)
        if found.startswith("/") or strings:
            return re.sub(r"[^\n]", " ", found)
        return found
    return TOKEN.sub(blank, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def includes(text):
    code = without(text, strings=False)
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', code, re.M):
        yield line_of(code, match.start()), match.group(1), match.group(2)


def check_include(folder, kind, name):
    if kind == "<":
        head = name.split("/")[0]
        if head in ("mongoc", "mongoc.h") and folder in NO_DRIVER:
            return f"'{folder}' knows no MongoDB but includes <{name}>"
        if name.endswith(".h") and head in MAY and head:
            return f"<{name}>: the project's own headers are written \"folder/file.h\""
        return None
    head = name.split("/")[0] if "/" in name else None
    if head is None or head not in MAY or ".." in name:
        return f'"{name}" is not written as "folder/file.h" relative to src/'
    if head != folder and head not in MAY[folder]:
        return f"'{folder or 'main'}' may not include '{head}'"
    return None


def check_file(folder, text):
    """(line, what is wrong) of one file of src/<folder>/."""
    for line, kind, name in includes(text):
        wrong = check_include(folder, kind, name)
        if wrong:
            yield line, wrong
    if folder in GENERIC:
        code = without(text, strings=False)
        for match in DATA_WORD.finditer(code):
            yield line_of(code, match.start()), f"'{match.group(1)}' is a word of the token data"
    if folder in SILENT:
        code = without(text, strings=True)
        for match in PRINTS.finditer(code):
            yield line_of(code, match.start()), f"'{match.group(1).split('(')[0].strip()}': only cmd, serve and report print"


def check_migration(text):
    for line, kind, name in includes(text):
        if kind == '"' or name.split("/")[0] in MAY:
            yield line, f"a migration includes <tokenfix/...> only, not {name}"


def check_tree(root):
    src = os.path.join(root, "src")
    seen = 0
    for path, _, names in sorted(os.walk(src)):
        for name in sorted(names):
            if not name.endswith((".c", ".h")):
                continue
            full = os.path.join(path, name)
            relative = os.path.relpath(full, src)
            folder = relative.split(os.sep)[0] if os.sep in relative else ""
            with open(full, encoding="utf-8") as file:
                text = file.read()
            seen += 1
            if folder not in MAY:
                yield full, 1, f"'{folder}' is not a folder of the design"
                continue
            for line, wrong in check_file(folder, text):
                yield full, line, wrong
    for folder in ("migrations", os.path.join("tests", "migrations")):
        for path, _, names in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    with open(os.path.join(path, name), encoding="utf-8") as file:
                        for line, wrong in check_migration(file.read()):
                            yield os.path.join(path, name), line, wrong
    if seen == 0:
        yield src, 1, "no source files found"


def main(arguments):
    if len(arguments) != 1:
        print("usage: layers.py ROOT", file=sys.stderr)
        return 2
    breaches = list(check_tree(arguments[0]))
    for path, line, wrong in breaches:
        print(f"{path}:{line}: {wrong}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
