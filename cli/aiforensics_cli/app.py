"""The front door: which commands there are, and what becomes of an error.

A command's module is imported when the command is called, so that `--help` and `scan` load nothing that they do not
use. Nobody sees a traceback unless `--debug` is given.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from aiforensics_cli.console import complain, hush, unheard

DONE, MATCHED, REFUSED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses of the contract: done; a `--fail-on` policy matched; usage error or refused input; Ctrl-C."""
TERMINATED = 143
"""What a shell reports for a program that was asked to end (128 + SIGTERM); that of a closed terminal (SIGHUP) too."""
PIPE_CLOSED = 141
"""What a shell reports for a program whose reader went away (128 + SIGPIPE), such as `aiforensics … | head -1`."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: ends a command as Ctrl-C does, so that what is done is kept."""


class Row(NamedTuple):
    """A command: its name, which is its module in `aiforensics_cli.commands` too, and its line in the overview."""

    name: str
    help: str
    keeps: bool = False
    """Whether something is left of a command that is interrupted."""


COMMANDS = (
    Row("scan", "Say of each picture whether an AI model or a camera made it.", keeps=True),
    Row("batch", "Scan folders, many files and ZIP archives, with local processes.", keeps=True),
    Row("explain", "Explain one picture's verdict in words, cue by cue."),
    Row("verify", "Check that a JSON finding still holds for its picture."),
    Row("models", "List, show and check the model bundles."),
    Row("doctor", "Show versions, extras and devices, and what to mend."),
    Row("audit", "Find shortcuts in a data set: can size, format or metadata alone tell the classes apart?"),
    Row("evaluate", "Measure a model bundle on labelled pictures."),
    Row("train", "Train a recipe on labelled pictures and write a model bundle.", keeps=True),
    Row("compare", "Train several recipes on the same pictures and compare them on one page.", keeps=True),
    Row("adapt", "Adapt a bundle to new pictures, and measure what it forgets.", keeps=True),
    Row("synth", "Train small generators (GAN, VAE, diffusion) and make pictures with them.", keeps=True),
)

EXTRAS = {
    "torch": "train",
    "torchvision": "train",
    "sklearn": "train",
    "onnx": "train",
    "matplotlib": "train",
    "optuna": "train",
    "pytorch_grad_cam": "train",
    "pillow_heif": "heif",
    "rawpy": "raw",
    "c2pa": "c2pa",
    "ray": "ray",
}
"""Optional packages against the extra that installs them."""
_COMPLETION = ("install_completion", "show_completion")


class LazyCommand(TyperCommand):
    """A command that is known by its row, and imported when it is called or asked for help."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401
        """Import the command's module and let the real command parse its arguments."""
        module = import_module(f"aiforensics_cli.commands.{self.name}")
        command = typer.main.get_command(module.app)
        command.name = self.name
        command.params = [p for p in command.params if p.name not in _COMPLETION]  # the overview has them
        _refuse_empty(command, args)
        return command.make_context(info_name, args, parent, **extra)


class Porch(TyperGroup):
    """The group of all commands; turns an expected error into one line and exit status 2."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        for row in COMMANDS:
            self.add_command(LazyCommand(row.name, help=row.help, no_args_is_help=False))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """In the order of the rows: what most people want comes first."""
        return [row.name for row in COMMANDS]

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Run the command; with `--debug` every error passes through."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            hush()
            raise typer.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt as error:
            kept = any(row.keeps for row in COMMANDS if row.name == ctx.invoked_subcommand)
            complain("interrupted; what is done is kept" if kept else "interrupted")
            raise typer.Exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED) from None
        except Exception as error:
            line = None if debugging() else expected(error)
            if line is None:
                raise
            complain(line)
            raise typer.Exit(REFUSED) from None


app = typer.Typer(
    name="aiforensics",
    cls=Porch,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _refuse_empty(command: Any, args: list[str]) -> None:  # noqa: ANN401 - a command or a group, whose kinds Typer hides
    """Refuse an option whose value is empty, such as a variable that is not set: as a path it is the current folder."""
    params = [p for one in (command, *getattr(command, "commands", {}).values()) for p in one.params]
    # Where nothing is the default, it can be said as well.
    named = {o for p in params if p.param_type_name == "option" and not p.is_flag and p.default != "" for o in p.opts}
    words = args[: args.index("--")] if "--" in args else args
    given = {word.removesuffix("=") for word in words if word.endswith("=")}
    given |= {word for word, after in pairwise(words) if not after}
    for option in sorted(named & given):
        raise typer.BadParameter("it is empty: give a value, or leave the option out", param_hint=f"'{option}'")


def _show_version(wanted: bool) -> None:
    if wanted:
        from aiforensics import __version__  # noqa: PLC0415

        typer.echo(f"aiforensics {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _overview(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere on the command line).")
    ] = False,
) -> None:
    """Says whether a picture was made by an AI model or by a camera, how sure it is, why, and when it cannot tell.

    Exit status: 0 done, 1 a --fail-on policy matched, 2 usage error or a refused input, 130 interrupted.
    """


def expected(error: Exception) -> str | None:
    """Give the one line for the user, or None for an error that nobody expected.

    The house's and the cellar's own exception classes carry such a line by rule; a missing optional package names the
    extra that brings it; the operating system's errors name the file.
    """
    if type(error).__module__.startswith(("aiforensics.", "aiforensics_models.")):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(package)
        if extra:
            return f"this needs the package {package}: pip install '.[{extra}]' in the checkout"
        return f"this installation has no {error.name}" if package.startswith("aiforensics") else None
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "out of memory: try a smaller input or fewer workers"
    return None


def debugging() -> bool:
    """Whether the command line of this process asks for tracebacks."""
    args, end = _arguments()
    return "--debug" in args[:end]


def _arguments() -> tuple[list[str], int]:
    """The arguments of this process, and how many of them may be options."""
    args = sys.argv[1:]
    return args, args.index("--") if "--" in args else len(args)


def main() -> None:
    """Run the command line of this process; never returns."""
    _ready_streams()
    signal.signal(signal.SIGTERM, _terminate)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # not under nohup
        signal.signal(signal.SIGHUP, _terminate)
    args, end = _arguments()
    args = [*(["--debug"] if debugging() else []), *(a for a in args[:end] if a != "--debug"), *args[end:]]
    try:
        app(args, prog_name="aiforensics")
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        hush()
        sys.exit(PIPE_CLOSED)  # Typer and Rich leave with 1, which here says that a policy matched
    except Exception as error:
        if debugging():
            with unheard():
                traceback.print_exc()
        else:
            complain(expected(error) or f"internal error: {type(error).__name__}: {error} (--debug shows where)")
        sys.exit(REFUSED)  # Python's own status would be 1, which here says that a policy matched


def _ready_streams() -> None:
    """Give every stream that the caller closed a place, and no sign of a name or a note the power to end a batch."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _terminate(number: int, _frame: object) -> None:
    if number != signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)  # of a closed terminal both the system and the shell may tell
    raise Terminated
