"""The command `kubeferry`: it starts flows, and shows what is in a store.

Every error is one line on stderr and an exit code: 1 failed, 2 wrong usage, 3 partial, 130 interrupted; --debug adds
the traceback. A command imports what it needs when it runs, so that `--help` does not wait for Prefect.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

# Typer vendors Click and exports none of these publicly: that is why pyproject.toml caps Typer's version.
from typer._click.exceptions import ClickException, NoArgsIsHelpError, UsageError

from kubeferry.flows.commands import (
    backup,
    delete,
    demo,
    deploy,
    diff,
    doctor,
    export,
    look,
    migrate,
    plan,
    populate,
    prune,
    restore,
    sandbox,
    server,
)
from kubeferry.flows.options.common import debugging, set_debugging
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.help import WIDTH, App
from kubeferry.flows.options.lazy import group_of
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.jsondoc.printable import plain
from kubeferry.tasks.ports.local import gc, keys

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

EPILOG = """\
Begin with: kubeferry sandbox up, then kubeferry demo.

Options can also come from environment variables: KUBEFERRY_CONTEXT, KUBEFERRY_STORE and so on.

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 partial result.
"""

registry = App()
MOVE, LOOK, SCHEDULE, HERE = "Move", "Look", "On schedule", "This machine"
registry.command("backup", rich_help_panel=MOVE, epilog=backup.EPILOG)(backup.backup)
registry.command("restore", rich_help_panel=MOVE, epilog=restore.EPILOG)(restore.restore)
registry.command("migrate", rich_help_panel=MOVE, epilog=migrate.EPILOG)(migrate.migrate)
registry.command("approve", rich_help_panel=MOVE, epilog=restore.APPROVE_EPILOG)(restore.approve)
registry.command("populate", rich_help_panel=MOVE, epilog=populate.EPILOG)(populate.populate)
registry.command("undo", rich_help_panel=MOVE, epilog=restore.UNDO_EPILOG)(restore.undo)
registry.command("delete", rich_help_panel=MOVE, epilog=delete.EPILOG)(delete.delete)
registry.command("prune", rich_help_panel=MOVE, epilog=prune.EPILOG)(prune.prune)
registry.command("plan", rich_help_panel=LOOK, epilog=plan.EPILOG)(plan.plan)
registry.command("export", rich_help_panel=MOVE, epilog=export.EPILOG)(export.export)
registry.command("diff", rich_help_panel=LOOK, epilog=diff.EPILOG)(diff.diff)
registry.command("list", rich_help_panel=LOOK, epilog=look.LIST)(look.list_backups)
registry.command("show", rich_help_panel=LOOK, epilog=look.SHOW)(look.show)
registry.command("verify", rich_help_panel=LOOK, epilog=look.VERIFY)(look.verify)
registry.command("doctor", rich_help_panel=HERE, epilog=doctor.EPILOG)(doctor.doctor)
registry.command("deploy", rich_help_panel=SCHEDULE, epilog=deploy.EPILOG)(deploy.deploy)
registry.command("worker", rich_help_panel=SCHEDULE, epilog=server.EPILOG)(server.worker)
registry.command("demo", rich_help_panel=HERE, epilog=demo.EPILOG)(demo.demo)
registry.add_typer(sandbox.app, name="sandbox", rich_help_panel=HERE)
registry.add_typer(server.app, name="server", rich_help_panel=HERE)

app = App(
    name="kubeferry",
    no_args_is_help=True,
    cls=group_of(registry),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDTH},
)


@app.callback(epilog=EPILOG)
@takes("", "version debug")
def top() -> None:
    """Back up, restore, migrate and clone Kubernetes namespaces."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code; `arguments` default to those of this process."""
    if arguments is None:
        gc.seldom()
    try:
        code = _code(arguments)
    finally:
        keys.forget()
    if arguments is None:
        gc.leave()
    sys.exit(code)


def _code(arguments: Sequence[str] | None) -> int:
    set_debugging(on=False)
    try:
        code = app(args=arguments, prog_name="kubeferry", standalone_mode=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except NoArgsIsHelpError as error:  # its message is the help
        typer.echo(error.format_message())
        return error.exit_code
    except ClickException as error:
        return _fail(_usage(error), error.exit_code)
    except KubeferryError as error:
        return _fail(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last place that can report it in one line
        cause = str(error).strip().partition("\n")[0]
        return _fail(f"unexpected {type(error).__name__}: {cause} (run with --debug for the traceback)", 1)
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    return code or 0


def _usage(error: ClickException) -> str:
    asked = error.ctx.command_path if isinstance(error, UsageError) and error.ctx else "kubeferry"
    message = error.format_message().replace("Value error, ", "")  # pydantic's prefix, inside Typer's message
    return f"{message} (see {asked} --help)"


def _fail(message: str, code: int) -> int:
    if debugging():
        import traceback

        traceback.print_exc()
    sys.stderr.write(f"error: {plain(' '.join(message.split()))}\n")
    return code
