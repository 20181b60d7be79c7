"""``whyseg users``: who may sign in to a server in team mode, and as what."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.workspace import user
from whyseg.schemas.errors import UsageError
from whyseg.schemas.user import Role

if TYPE_CHECKING:
    from whyseg.curation.users import Users

app = typer.Typer(
    name="users", cls=Listing, help="Add the people of a team, and say what each may do.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The user's name.")]
RoleOption = Annotated[Role, typer.Option(help="What the user may do: docs/team.md has the table.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
]


@app.command()
def add(name: Name, role: RoleOption, password_stdin: PasswordStdin = False, workspace: WorkspaceOption = HERE) -> None:
    """Add a user."""
    from whyseg.curation.users import checked_name

    checked_name(name)  # before a password is asked for
    with _users(workspace) as users:
        made = users.add(name, role, _password(password_stdin), author=user())
    typer.echo(f"{made.name} is {made.role.value}")


@app.command("list")
def list_(workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """List the users."""
    with _users(workspace) as users:
        found = users.list()
    if json:
        print_json({"users": [one.plain() for one in found]})
    elif not found:
        note("no users yet: whyseg users add NAME --role curator")
    for one in () if json else found:
        typer.echo(f"{one.role.value:<12}{'disabled' if one.disabled else '':<10}{one.name}")


@app.command()
def role(
    name: Name, role: Annotated[Role, typer.Argument(help="The new role.")], workspace: WorkspaceOption = HERE
) -> None:
    """Give a user another role, at once."""
    with _users(workspace) as users:
        typer.echo(f"{users.set_role(name, role, author=user()).name} is {role.value}")


@app.command()
def password(name: Name, password_stdin: PasswordStdin = False, workspace: WorkspaceOption = HERE) -> None:
    """Give a user another password, and sign them out everywhere."""
    with _users(workspace) as users:
        users.get(name)  # before a password is asked for
        users.set_password(name, _password(password_stdin), author=user())
    typer.echo(f"{name} has another password")


@app.command()
def disable(name: Name, workspace: WorkspaceOption = HERE) -> None:
    """Keep a user out, at once; what they did stays theirs."""
    with _users(workspace) as users:
        typer.echo(f"{users.set_disabled(name, True, author=user()).name} is disabled")


@app.command()
def enable(name: Name, workspace: WorkspaceOption = HERE) -> None:
    """Let a disabled user in again."""
    with _users(workspace) as users:
        typer.echo(f"{users.set_disabled(name, False, author=user()).name} is enabled")


@contextmanager
def _users(workspace: Path) -> "Iterator[Users]":
    from whyseg.curation.users import Users
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        yield Users(opened.store.database)


def _password(from_stdin: bool) -> str:
    """Return the password that was typed twice, or the first line of standard input; it is never an argument."""
    if from_stdin:
        try:
            line = sys.stdin.readline()
        except UnicodeDecodeError as error:
            raise UsageError("the password on standard input is no UTF-8") from error
        return line.rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for a password on; --password-stdin reads it")
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
