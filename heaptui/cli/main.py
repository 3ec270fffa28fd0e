"""`heaptui`: the command line. Thin: each command says what to ask and how to show the answer."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from heaptui import __version__
from heaptui.cli.context import Context
from heaptui.cli.groups import first_error
from heaptui.cli.register import Commands
from heaptui.errors import HeaptuiError, UsageError
from heaptui.paths import default_state

_SIGINT, _SIGPIPE = 130, 141
"""128 + n, as a shell reports a command that signal n ended."""
_UNWRITTEN = 1
_STDERR = 2
_OF_WRITING = frozenset((errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG))


@click.group(
    commands=Commands(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="heaptui")
@click.option("--state", type=click.Path(path_type=Path), help="State directory.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Another config.toml."
)
@click.option("--theme", help="dark, light, ansi, or a theme of your own.")
@click.option("--ascii", "ascii_only", is_flag=True, help="No glyphs beyond ASCII.")
@click.option(
    "--policy",
    type=click.Choice(["act", "observe"]),
    help="The memory policy acts, or only tells what it would do. Kept until it is set again.",
)
@click.option("--slow", is_flag=True, help="For a slow line: fewer paints, no animation.")
@click.pass_context
def cli(
    ctx: click.Context,
    state: Path | None,
    config_path: Path | None,
    theme: str | None,
    ascii_only: bool,
    slow: bool,
    policy: str | None,
) -> None:
    """Run AI agents in processes with heaps of their own, and see what each one holds.

    Without a command it opens the screen.
    """
    ctx.obj = Context(
        state_root=state or default_state(),
        config_path=config_path,
        theme=theme,
        ascii_only=ascii_only,
        slow=slow,
        policy=policy,
    )
    if policy is not None and ctx.invoked_subcommand not in (None, "serve", "dispatch", "demo"):
        raise UsageError(
            f"--policy says nothing to `heaptui {ctx.invoked_subcommand}`.",
            "It goes with the screen, `serve` and `dispatch`: heaptui --policy observe dispatch",
        )
    if ctx.invoked_subcommand is None:
        from heaptui.cli.screen import open_screen

        open_screen(ctx.obj)


def main() -> None:
    """The entry point; exit codes as in heaptui/errors.py."""
    _stand_in()
    if sys.stdout is None:
        _complain("Standard output is closed.", "Send it to /dev/null where nobody wants it.")
        sys.exit(1)
    code = _run()
    try:
        sys.stdout.flush()
    except OSError as error:
        if code not in (_SIGPIPE, _UNWRITTEN):
            code = _not_written(error)
        # the interpreter's last flush must not fail once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _stand_in() -> None:
    """For standard streams that are closed: the next file to be opened would take the number of
    one, and what is meant for it; and what is told to nobody would be printed to stdout."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(fd)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_STDERR, "w", closefd=False)


def _run() -> int:
    # not by click's own main: that one makes 1 of a pipe that nobody reads
    try:
        with cli.make_context("heaptui", sys.argv[1:]) as ctx:
            result = cli.invoke(ctx)
    except click.exceptions.Exit as left:
        return left.exit_code
    except HeaptuiError as error:
        return _told(error)
    except BaseExceptionGroup as group:
        if (first := first_error(group)) is None:
            raise
        return _told(first)
    except click.exceptions.NoArgsIsHelpError as unsaid:
        print(unsaid.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        # the parser itself does not say which command it was
        where = f"`{error.ctx.command_path} --help`" if error.ctx else "--help behind the command"
        _complain(error.format_message(), f"{where} shows what it takes.")
        return 2
    except click.ClickException as error:
        _complain(error.format_message(), "")
        return 1
    except (KeyboardInterrupt, click.Abort):
        return _SIGINT
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_WRITING:
            raise
        return _not_written(error)
    return result if isinstance(result, int) else 0


def _told(error: HeaptuiError) -> int:
    _complain(error.what, error.remedy)
    return error.exit_code


def _not_written(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):
        # whoever read our output has seen enough
        return _SIGPIPE
    _complain(
        f"The output cannot be written: {error.strerror}.",
        "Free space where it goes, or send it elsewhere.",
    )
    return _UNWRITTEN


def _complain(what: str, remedy: str) -> None:
    from heaptui.output import printable

    print(f"heaptui: {printable(what)}", file=sys.stderr)
    for line in printable(remedy).splitlines():
        print(f"  {line}", file=sys.stderr)
