"""Runs a program and says which of its lines were not run: as coverage.py counts them,
which need not be here. Reads before, after and program in JSON from the standard input, and
writes missing (lines of program) and changed (the length of the line difference from before
to after) to measured.json. Fails if the program does.
"""

import ast
import difflib
import io
import json
import re
import sys
import threading
import tokenize

given = json.load(sys.stdin)
text = given["program"]
with open("program.py", "w", encoding="utf-8") as f:
    f.write(text)


def logical(text):
    """The first line of the logical line that a line is in."""
    first, start = {}, None
    for t in tokenize.generate_tokens(io.StringIO(text).readline):
        if t.type in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        if start is None:
            start = t.start[0]
        if t.type == tokenize.NEWLINE:
            for line in range(start, t.end[0] + 1):
                first[line] = start
            start = None
    return first


def compiled(code):
    """Lines that have code."""
    lines = {n for _, _, n in code.co_lines() if n} if hasattr(code, "co_lines") else {n for _, n in __import__("dis").findlinestarts(code) if n}
    for c in code.co_consts:
        if hasattr(c, "co_consts"):
            lines |= compiled(c)
    return lines


NO_COVER = re.compile(r"#\s*(pragma|PRAGMA)[:\s]?\s*(no|NO)\s*(cover|COVER)|@(abc\.)?abstractmethod")


def ignored(text, tree):
    """Lines of docstrings, and of statements that are marked as not to be covered."""
    lines = text.split("\n")
    out = set()

    def marked(a, b):
        return any(NO_COVER.search(x) for x in lines[a - 1:b])

    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and body:
            d = body[0]
            if isinstance(d, ast.Expr) and isinstance(d.value, ast.Constant) and isinstance(d.value.value, str):
                out |= set(range(d.lineno, d.end_lineno + 1))
        if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
            continue
        start = min([node.lineno] + [d.lineno for d in getattr(node, "decorator_list", [])])
        if isinstance(body, list) and body:
            # A mark is on a line of the head, or, of a body in the same line, on that.
            if marked(start, max(start, body[0].lineno - 1)):
                out |= set(range(start, body[-1].end_lineno + 1))
        elif marked(start, node.end_lineno):
            out |= set(range(start, node.end_lineno + 1))
    return out


tree, code, first = ast.parse(text), compile(text, "program.py", "exec", dont_inherit=True), logical(text)
skip = ignored(text, tree)
statements = {first.get(n, n) for n in compiled(code)} - skip
ran = set()


def trace(frame, event, _):
    if frame.f_code.co_filename != "program.py":
        return None
    if event == "line":
        ran.add(first.get(frame.f_lineno, frame.f_lineno))
    return trace


module = type(sys)("__main__")
module.__file__ = "program.py"
module.__builtins__ = __builtins__
sys.modules["__main__"] = module
sys.argv, sys.stdin = ["program.py"], io.StringIO()
threading.settrace(trace)
sys.settrace(trace)
try:
    exec(code, module.__dict__)
except SystemExit as e:
    if e.code not in (None, 0):
        raise
finally:
    sys.settrace(None)
    threading.settrace(None)
difference = difflib.Differ().compare(given["before"].splitlines(), given["after"].splitlines())
with open("measured.json", "w") as f:
    json.dump({"missing": sorted(statements - ran), "changed": len(list(difference))}, f)
