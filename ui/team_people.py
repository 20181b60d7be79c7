"""What everybody did, as a table and a plot, and the users: added, given another role or password, kept out.

Text of users goes into components that show it as text alone: tables of type ``str``, text boxes, choices of a menu.
"""

from datetime import timedelta
from typing import Any

import gradio as gr

from whyseg.curation.people import People, Person, Throughput
from whyseg.curation.times import now
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError, WhysegError
from whyseg.schemas.user import Role, User
from whyseg.ui.browse import QUIET
from whyseg.ui.review import REASONS
from whyseg.ui.roles import manages

HEADERS = [
    "who", "role", "saves", "submitted", "samples", "accepted", "rejected", "rejection rate", "reasons",
    "work (median)", "reviews", "to a decision (median)",
]  # fmt: skip
USERS = ["user", "role", "may sign in", "since (UTC)"]
PERIODS = [("the last 7 days", 7), ("the last 30 days", 30), ("the last 365 days", 365), ("all time", 0)]
MEASURES = [
    ("submitted", "submitted"), ("accepted", "accepted"), ("rejected", "rejected"), ("reviews", "reviews"),
    ("saves", "revisions"),
]  # fmt: skip
PLOTTED = 12  # people in the plot: those who did most


def row(person: Person) -> list[str]:
    """Return a person as a row below `HEADERS`."""
    names = {reason.value: text for reason, text in REASONS.items()}
    role = (person.role.value if person.role else "no user") + (", disabled" if person.disabled else "")
    return [
        person.name,
        role,
        *(str(count) for count in (person.revisions, person.submitted, person.samples)),
        *(str(count) for count in (person.accepted, person.rejected)),
        "" if person.rejection_rate is None else f"{person.rejection_rate:.0%}",
        ", ".join(f"{names.get(reason, reason)} {count}" for reason, count in person.reasons.items()),
        span(person.work_seconds),
        str(person.reviews),
        span(person.decision_seconds),
    ]


def user_row(user: User) -> list[str]:
    """Return a user as a row below `USERS`."""
    return [user.name, user.role.value, "no: disabled" if user.disabled else "yes", f"{user.created_at:%Y-%m-%d %H:%M}"]


def span(seconds: float | None) -> str:
    """Return a length of time as people say it.

    >>> span(45.2), span(754), span(93_600), span(None)
    ('45 s', '13 min', '26 h', '')
    """
    if seconds is None:
        return ""
    for size, unit in ((7200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds / (3600 if unit == 'h' else 60):.0f} {unit}"
    return f"{seconds:.0f} s"


def points(found: People, measure: str) -> Any:
    """Return a table of day, person and count for the plot: those of whom there is most."""
    import pandas as pd  # type: ignore[import-untyped]  # Gradio brings it along

    totals = {person.name: sum(getattr(day, measure) for day in person.days.values()) for person in found.people}
    most = sorted(totals, key=lambda name: -totals[name])[:PLOTTED]
    rows = [
        (day, person.name, getattr(counts, measure))
        for person in found.people
        if person.name in most
        for day, counts in person.days.items()
        if getattr(counts, measure)
    ]
    return pd.DataFrame(rows, columns=["day", "who", "count"])


class PeopleSection:
    """The section's components, and what fills them."""

    def __init__(self, workspace: Workspace, throughput: Throughput) -> None:
        """Build the section inside the current Blocks context."""
        self.throughput = throughput
        self.users = Users(workspace.store.database)
        with gr.Row(elem_id="ws-people-choices"):
            self.period = gr.Dropdown(
                PERIODS, value=30, label="What was done in", elem_id="ws-people-period", scale=0, min_width=200
            )
            self.measure = gr.Radio(
                MEASURES, value="submitted", label="Each day (UTC)", elem_id="ws-people-measure", min_width=480
            )
        self.table = _table(HEADERS, "ws-people-table")
        self.plot = gr.BarPlot(
            x="day", y="count", color="who", height=240, show_label=False, buttons=[], elem_id="ws-people-plot"
        )
        self.accounts = _table(USERS, "ws-users-table")
        roles = [role.value for role in Role]
        with gr.Row(elem_id="ws-users-forms"):
            with gr.Column():
                self.name = gr.Textbox(label="New user", max_lines=1, max_length=64, elem_id="ws-user-name")
                self.role = gr.Radio(roles, value=roles[0], label="as", elem_id="ws-user-role")
                self.password = _password("with the password", "ws-user-password")
                self.add = gr.Button("Add user", variant="primary", elem_id="ws-user-add")
            with gr.Column():
                self.user = gr.Dropdown([], label="User", elem_id="ws-user")
                self.new_role = gr.Radio(roles, label="is from now on", elem_id="ws-user-new-role")
                self.new_password = _password("has the new password", "ws-user-new-password")
                with gr.Row():
                    self.change = gr.Button("Change", elem_id="ws-user-change", min_width=100)
                    self.disable = gr.Button("Keep out", elem_id="ws-user-disable", min_width=100)
                    self.enable = gr.Button("Let in again", elem_id="ws-user-enable", min_width=100)
        self.told = gr.Textbox(
            show_label=False, container=False, interactive=False, elem_id="ws-users-told", lines=1, max_lines=3
        )

    def show(self, period: int, measure: str, request: gr.Request) -> Any:
        """Return what tables, plot and the menu of users show."""
        try:
            manages(request.request)
            since = (now() - timedelta(days=period - 1)).date() if period else None
            found = self.throughput.people(since)
            users = self.users.list()
        except WhysegError as error:
            return [gr.skip()] * 4 + [str(error)]
        return [
            [row(person) for person in found.people],
            points(found, measure),
            [user_row(one) for one in users],
            gr.Dropdown(choices=[one.name for one in users]),  # what was chosen meanwhile stays
            gr.skip(),
        ]

    def add_user(self, name: str | None, role: str, password: str | None, request: gr.Request) -> Any:
        """Add a user; return what to say about it, and what stays in the fields."""
        try:
            who = manages(request.request)
            made = self.users.add((name or "").strip(), Role(role), password or "", author=who.name)
        except WhysegError as error:
            return str(error), gr.skip(), ""
        return f"{made.name} may sign in as {made.role.value}", "", ""

    def change_user(
        self, name: str | None, role: str | None, password: str | None, event: gr.EventData, request: gr.Request
    ) -> Any:
        """Change a user as the pressed button says; return what to say about it, and what stays in the fields."""
        disabled = True if event.target is self.disable else False if event.target is self.enable else None
        try:
            who = manages(request.request)
            if not name:
                raise UsageError("choose a user first")
            if disabled is None and not role and not password:
                raise UsageError("choose a role, or write a new password")
            wanted: dict[str, Any] = {"disabled": disabled}
            if disabled is None:
                wanted = {"role": Role(role) if role else None, "password": password or None}
            made = self.users.change(name, **wanted, author=who.name, keep_curator=True)
        except WhysegError as error:
            return str(error), gr.skip(), ""
        said = f"{made.name} is {made.role.value}" + (" and cannot sign in" if made.disabled else "")
        return said + (", with the new password" if wanted.get("password") else ""), None, ""

    def wire(self, shown: Any, tabs: gr.Tabs) -> None:
        """Connect the choices and the forms."""
        choices = [self.period, self.measure]
        triggers = [shown, self.period.input, self.measure.input, self.told.change]
        outputs = [self.table, self.plot, self.accounts, self.user, self.told]
        gr.on(triggers, self.show, choices, outputs, trigger_mode="always_last", **QUIET)
        self.add.click(
            self.add_user, [self.name, self.role, self.password], [self.told, self.name, self.password], **QUIET
        )
        gr.on(
            [self.change.click, self.disable.click, self.enable.click],
            self.change_user,
            [self.user, self.new_role, self.new_password],
            [self.told, self.new_role, self.new_password],
            **QUIET,
        )


def _table(headers: list[str], elem_id: str) -> gr.Dataframe:
    return gr.Dataframe(
        headers=headers, datatype="str", interactive=False, wrap=True, show_label=False, buttons=[], elem_id=elem_id
    )


def _password(label: str, elem_id: str) -> gr.Textbox:
    return gr.Textbox(label=label, type="password", max_lines=1, max_length=1000, elem_id=elem_id)
