"""The review page: our module in a shell of Gradio's; it asks the JSON routes for everything."""

import gradio as gr

from whyseg.schemas import Reason
from whyseg.ui.annotate import MODULE, guides

REASONS = {
    Reason.WRONG_TARGET: "Wrong target",
    Reason.MISSING_INSTANCE: "Instance missing",
    Reason.EXTRA_INSTANCE: "Instance too many",
    Reason.BOUNDARY: "Boundary",
    Reason.AMBIGUOUS_QUERY: "Ambiguous question",
    Reason.LEAKS_ANSWER: "Names the answer",
    Reason.WRONG_TYPE: "Wrong type",
    Reason.WRONG_DEPTH: "Wrong depth",
    Reason.BAD_IMAGE: "Bad image",
    Reason.DUPLICATE: "Duplicate",
    Reason.OTHER: "Other",
}
MOUNT = f"{MODULE}.then(page => page.mountReview(element, {{ reasons: props.reasons, types: props.guides }}));"


def build_review() -> None:
    """Build the page inside its tab; it asks for the queue whenever it is seen."""
    gr.HTML(
        html_template="<div></div>",
        js_on_load=MOUNT,
        apply_default_css=False,
        elem_id="ws-review",
        reasons=[[reason.value, text] for reason, text in REASONS.items()],
        guides=guides(),
    )
