"""The Gradio application: its tabs, its looks, and how it is mounted."""

import os
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request

from whyseg.curation.people import Throughput
from whyseg.curation.workspace import Workspace

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # Gradio looks at it when it is imported
import gradio as gr

from whyseg.ui.annotate import build_annotate
from whyseg.ui.browse import BrowseTab
from whyseg.ui.findings import build_findings
from whyseg.ui.models import build_models
from whyseg.ui.releases import ReleasesTab
from whyseg.ui.review import build_review
from whyseg.ui.team import TeamTab

PATH = "/app"
# Gradio copies this into the page's head as it is; the path is the page's, so that a root path stays in front of it.
HEAD = """<link rel="stylesheet" href="../static/app.css">
<link rel="stylesheet" href="../static/findings.css">
<link rel="stylesheet" href="../static/models.css">
<link rel="icon" href="../static/icon.svg">
<meta name="color-scheme" content="dark">"""
# One look whatever the browser prefers: a photograph is judged on dark grey. app.css has the same colours.
BACK, PANEL, RAISED, LINE, TEXT, DIM, ACCENT = (
    "#14161a",
    "#1c1f25",
    "#272b33",
    "#343944",
    "#e4e7ec",
    "#9aa3b2",
    "#4c8dff",
)
COLOURS = {
    "background_fill_primary": PANEL,
    "background_fill_secondary": BACK,
    "block_background_fill": PANEL,
    "block_info_text_color": DIM,
    "block_label_background_fill": PANEL,
    "block_label_text_color": DIM,
    "block_title_text_color": DIM,
    "body_background_fill": BACK,
    "body_text_color": TEXT,
    "body_text_color_subdued": DIM,
    "border_color_accent": ACCENT,
    "border_color_primary": LINE,
    "button_primary_background_fill": ACCENT,
    "button_primary_background_fill_hover": "#6aa1ff",
    "button_primary_text_color": "#ffffff",
    "button_secondary_background_fill": RAISED,
    "button_secondary_background_fill_hover": LINE,
    "button_secondary_border_color": LINE,
    "button_secondary_border_color_hover": LINE,
    "button_secondary_text_color": TEXT,
    "checkbox_background_color": BACK,
    "checkbox_background_color_selected": ACCENT,
    "checkbox_border_color": "#596173",
    "checkbox_border_color_selected": ACCENT,
    "checkbox_label_background_fill": RAISED,
    "checkbox_label_background_fill_hover": LINE,
    "checkbox_label_background_fill_selected": "#27406b",
    "checkbox_label_text_color": TEXT,
    "checkbox_label_text_color_selected": "#ffffff",
    "color_accent_soft": "#27406b",
    "input_background_fill": BACK,
    "input_border_color": LINE,
    "input_border_color_focus": ACCENT,
    "input_placeholder_color": "#6b7384",
    "link_text_color": ACCENT,
    "panel_background_fill": PANEL,
    "table_border_color": LINE,
    "table_even_background_fill": PANEL,
    "table_odd_background_fill": BACK,
    "table_row_focus": RAISED,
    "table_text_color": TEXT,
}
SHAPES = {
    "block_border_width": "0px",
    "block_radius": "8px",
    "block_shadow": "none",
    "button_large_padding": "8px 12px",
    "button_large_radius": "6px",
    "button_large_text_size": "13px",
    "button_large_text_weight": "500",
    "checkbox_label_gap": "5px",
    "checkbox_label_padding": "4px 9px",
    "color_accent": ACCENT,
    "input_border_width": "1px",
    "input_padding": "6px 8px",
    "input_radius": "5px",
    "layout_gap": "8px",
}


def mount_page(
    app: FastAPI,
    workspace: Workspace,
    throughput: Throughput,
    *,
    auth_dependency: Callable[[Request], str | Awaitable[str | None] | None] | None = None,
) -> None:
    """Mount the pages of a workspace at ``/app``.

    ``auth_dependency`` names the user of a request; without it Gradio knows no users.
    """
    gr.mount_gradio_app(
        app,
        build_blocks(workspace, throughput),
        PATH,
        auth_dependency=auth_dependency,
        ssr_mode=False,  # no second server, written in another language
        run_history=False,  # it would keep inputs in the browser
        footer_links=[],
        theme=build_theme(),
        head=HEAD,
    )


def build_blocks(workspace: Workspace, throughput: Throughput | None = None) -> gr.Blocks:
    """Build the tabs; ``throughput`` is shared with the routes, where there are any."""
    with gr.Blocks(title="whyseg", analytics_enabled=False, fill_width=True) as blocks:
        with gr.Tabs(elem_id="ws-tabs") as tabs:
            with gr.Tab("Annotate", id="annotate"):
                build_annotate()
            with gr.Tab("Review", id="review"):
                build_review()
            with gr.Tab("Browse", id="browse"):
                browse = BrowseTab(workspace.store)
            with gr.Tab("Findings", id="findings"):
                build_findings()
            with gr.Tab("Releases", id="releases"):
                releases = ReleasesTab(workspace)
            with gr.Tab("Models", id="models"):
                build_models()
            with gr.Tab("Team", id="team", visible=False) as people:
                team = TeamTab(workspace, throughput or Throughput(workspace.store.database))
        browse.wire(tabs)
        releases.wire(blocks)
        team.wire(blocks, people, tabs)
    return blocks


def build_theme() -> gr.Theme:
    """Build a calm dark theme that leaves the colours to the photographs; its fonts are the machine's own."""
    theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], text_size="sm")
    return theme.set(**COLOURS, **{f"{name}_dark": value for name, value in COLOURS.items()}, **SHAPES)
