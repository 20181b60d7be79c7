// When a tab's content comes to be seen. Gradio sends a tab's `select` only once it has wired the page's events: of a tab that is chosen
// before that, it shows the content and says nothing.

// Calls `show` whenever an element is laid out that was not: its tab was chosen, whoever chose it, and whenever.
export function whenSeen(element, show) {
    let seen = false;
    new ResizeObserver(() => {
        const now = element.getClientRects().length > 0;
        if (now && !seen) show();
        seen = now;
    }).observe(element);
}
