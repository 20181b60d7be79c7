"""The models' page: our module in a shell of Gradio's; it asks the JSON routes for everything."""

import gradio as gr

from whyseg.ui.annotate import MODULE

MOUNT = f"{MODULE}.then(page => page.mountModels(element));"
SHOW = f"async () => (await {MODULE}).showModels()"


def build_models(tab: gr.Tab) -> None:
    """Build the page inside its tab; which policy runs is asked for whenever the tab is opened."""
    gr.HTML(html_template="<div></div>", js_on_load=MOUNT, apply_default_css=False, elem_id="ws-models")
    tab.select(None, None, None, js=SHOW, queue=False, show_progress="hidden", api_visibility="private")
