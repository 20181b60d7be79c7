"""The findings' page: our module in a shell of Gradio's; it asks the JSON routes for everything."""

import gradio as gr

from whyseg.curation.signals import MODEL_FINDINGS
from whyseg.ui.annotate import MODULE

MOUNT = f"{MODULE}.then(page => page.mountFindings(element, {{ kinds: props.kinds }}));"


def build_findings() -> None:
    """Build the page inside its tab; it asks for the list whenever it is seen."""
    gr.HTML(
        html_template="<div></div>",
        js_on_load=MOUNT,
        apply_default_css=False,
        elem_id="ws-findings",
        kinds=list(MODEL_FINDINGS),
    )
