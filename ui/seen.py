"""What fills a tab of Gradio's whenever it is looked at.

A tab's own ``select`` is lost where it is chosen before Gradio has wired the page's events, so that its content would
stay empty until it is chosen again. This asks the browser instead whether the content is laid out.
"""

import gradio as gr

from whyseg.ui.annotate import MODULE

WATCH = f'{MODULE}.then(page => page.whenSeen(element, () => trigger("select")));'


def build_seen() -> gr.HTML:
    """Build an empty component inside a tab's context; its ``select`` comes whenever the tab's content is seen."""
    return gr.HTML(html_template="<div></div>", js_on_load=WATCH, apply_default_css=False, elem_classes="ws-seen")
