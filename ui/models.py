"""The models' page: our module in a shell of Gradio's; it asks the JSON routes for everything."""

import gradio as gr

from whyseg.ui.annotate import MODULE

MOUNT = f"{MODULE}.then(page => page.mountModels(element));"


def build_models() -> None:
    """Build the page inside its tab; it asks which policy runs whenever it is seen."""
    gr.HTML(html_template="<div></div>", js_on_load=MOUNT, apply_default_css=False, elem_id="ws-models")
