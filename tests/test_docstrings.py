"""Docstrings keep the house's form: a public function of many parameters says what each of them is."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANY = 5
MODULES = sorted(path for folder in ("forensics", "models", "cli") for path in (ROOT / folder).glob("*/**/*.py"))


def functions(tree):
    """Public functions and methods, commands of the command line left out: their options say what they are."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and not is_command(node):
            yield node


def is_command(function):
    return any("command" in ast.unparse(decorator) for decorator in function.decorator_list)


def parameters(function):
    named = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    return [one.arg for one in named if one.arg not in ("self", "cls")]


def test_a_function_of_many_parameters_describes_them():
    assert len(MODULES) > 100
    silent = [
        f"{path.relative_to(ROOT).as_posix()}: {function.name}"
        for path in MODULES
        for function in functions(ast.parse(path.read_text("utf-8")))
        if len(parameters(function)) >= MANY and "Parameters\n----------" not in (ast.get_docstring(function) or "")
    ]
    assert silent == []


def test_the_rule_sees_what_breaks_it():
    found = functions(ast.parse("class A:\n    def f(self, a, b): ...\n    def _g(self): ..."))
    assert [(one.name, parameters(one)) for one in found] == [("f", ["a", "b"])]
