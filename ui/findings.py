"""The findings' page: our module in a shell of Gradio's; it asks the JSON routes for everything."""

import gradio as gr

from whyseg.curation.signals import MODEL_FINDINGS
from whyseg.ui.annotate import MODULE

MOUNT = f"{MODULE}.then(page => page.mountFindings(element, {{ kinds: props.kinds }}));"
SHOW = f"async () => (await {MODULE}).showFindings()"


def build_findings(tab: gr.Tab) -> None:
    """Build the page inside its tab; the list is asked for whenever the tab is opened."""
    gr.HTML(
        html_template="<div></div>",
        js_on_load=MOUNT,
        apply_default_css=False,
        elem_id="ws-findings",
        kinds=list(MODEL_FINDINGS),
    )
    tab.select(None, None, None, js=SHOW, queue=False, show_progress="hidden", api_visibility="private")
