"""How a group's help lists its commands: whole sentences, under the heading that each command has."""

from typing import Any

from typer.core import TyperGroup


class Listing(TyperGroup):
    """A group that cuts no command's description short, and heads them by their ``rich_help_panel``.

    Headings come in the order of their first command. Below several the commands are in alphabetical order, since typer
    puts groups after all other commands.
    """

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the headings, each with its commands."""
        names = self.list_commands(ctx)
        widest = max(map(len, names))
        headed: dict[str, list[str]] = {}
        for name in names:
            headed.setdefault(getattr(self.commands[name], "rich_help_panel", None) or "Commands", []).append(name)
        for heading, members in headed.items():
            with formatter.section(heading):
                formatter.write_dl(
                    (name.ljust(widest), self.commands[name].get_short_help_str(limit=1000))
                    for name in (sorted(members) if len(headed) > 1 else members)
                )
