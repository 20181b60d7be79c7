"""The annotation page: our canvas in a shell of Gradio's, and the question's form beside it.

The canvas is an ES module (``ui/static``). Gradio's HTML templates run ``${…}``, so those here are constants: no text
of a user ever reaches one. Nothing on this page asks Gradio's server for anything; the module fills the fields through
an event that stays in the browser, and reads and saves them by itself.
"""

from typing import Any

import gradio as gr

from whyseg.curation.guidance import guidance

MODULE = 'import(new URL("../static/index.js", document.baseURI))'
TEXT_LENGTH = 4000  # characters that a text of a record may have
LINES_LENGTH = 4 * TEXT_LENGTH


# The shell's own event `opened` exists because its quoted name stands in this text.
MOUNT = f"""{MODULE}.then(page => page.mount(element, {{
    guides: props.guides, depths: props.depths, fill: () => trigger("opened"),
}}));"""
MOUNT_PANEL = f"{MODULE}.then(page => page.mountPanel(element));"
MOUNT_NOTICED = f"{MODULE}.then(page => page.mountNoticed(element));"
MOUNT_DRAFTS = f"{MODULE}.then(page => page.mountDrafts(element));"
FIELDS = f"async () => (await {MODULE}).fields()"


def guides() -> dict[str, Any]:
    """Return the guides of the types as the module takes them."""
    return {kind.value: guide.plain() for kind, guide in guidance().types.items()}


def depths() -> dict[str, Any]:
    """Return the guides of the depths as the module takes them."""
    return {str(depth): guide.plain() for depth, guide in guidance().depths.items()}


def build_annotate() -> None:
    """Build the tab inside the current Blocks context."""
    with gr.Row(elem_id="ws-annotate"):
        canvas = _shell("ws-canvas", MOUNT, guides=guides(), depths=depths())
        with gr.Column(elem_id="ws-side", min_width=300):
            _shell("ws-panel", MOUNT_PANEL)
            _shell("ws-noticed", MOUNT_NOTICED)
            with gr.Column(elem_id="ws-form"):
                fields = _fields()
            _shell("ws-drafting", MOUNT_DRAFTS)
            # The module listens to these itself: they must work, or say why not, when Gradio has lost its server.
            with gr.Row(elem_id="ws-actions"):
                gr.Button("Submit", variant="primary", elem_id="ws-submit")
                gr.Button("Skip", elem_id="ws-skip")
                gr.Button("+ Question", elem_id="ws-another")
    canvas.opened(None, None, fields, js=FIELDS, show_progress="hidden", queue=False, api_visibility="private")


def _shell(elem_id: str, on_load: str, **properties: Any) -> gr.HTML:
    return gr.HTML(
        html_template="<div></div>", js_on_load=on_load, apply_default_css=False, elem_id=elem_id, **properties
    )


def _note(elem_id: str) -> None:
    gr.HTML(html_template=f'<div id="{elem_id}" class="ws-note" aria-live="polite"></div>', apply_default_css=False)


def _fields() -> list[gr.components.Component]:
    """Build the form; returns its fields in the order that the module fills them."""
    query = gr.Textbox(
        label="Question",
        placeholder="Ask for the object without naming it: what in this picture …?",
        lines=2,
        max_lines=4,
        max_length=TEXT_LENGTH,
        interactive=True,
        elem_id="ws-query",
    )
    kind = gr.Radio(
        [("a sentence", "sentence"), ("a phrase", "phrase")],
        value="sentence",
        show_label=False,
        container=False,
        interactive=True,
        elem_id="ws-kind",
    )
    alternates = gr.Textbox(
        label="Paraphrases, one a line",
        lines=2,
        max_lines=4,
        max_length=LINES_LENGTH,
        interactive=True,
        elem_id="ws-alternates",
    )
    _note("ws-alternates-note")
    reasoning_type = gr.Radio(
        [(guide.name, kind.value) for kind, guide in guidance().types.items()],
        label="Reasoning type",
        interactive=True,
        elem_id="ws-type",
    )
    _note("ws-guide")
    hops = gr.Textbox(
        label="Hops to the answer, one short step a line",
        placeholder="It is raining.\nAn umbrella keeps rain off.",
        lines=3,
        max_lines=5,
        max_length=LINES_LENGTH,
        interactive=True,
        elem_id="ws-hops",
    )
    _note("ws-depth")
    _note("ws-depth-guide")
    no_target = gr.Checkbox(
        label="No target: nothing in the picture answers it", interactive=True, container=False, elem_id="ws-no-target"
    )
    return [query, kind, alternates, reasoning_type, hops, no_target]
