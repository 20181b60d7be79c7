// Elements made by hand: text goes through textContent alone, so nothing that a user wrote is ever parsed as HTML.
const SVG = "http://www.w3.org/2000/svg";

// el("button", {class: "x", title: "…", onclick: f}, "text", child): listeners are functions, true and false are presence.
export function el(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (typeof value === "function") element.addEventListener(name.slice(2), value);
        else if (value === true) element.setAttribute(name, "");
        else if (value !== false && value != null) element.setAttribute(name, value);
    }
    element.append(...children.flat().filter(child => child != null && child !== false));
    return element;
}

export function icon(path) {
    const svg = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    line.setAttribute("d", path);
    svg.append(line);
    return svg;
}

export const ICONS = {
    smart: "M5 3l6 15 2.2-6.3L19.5 9.5zM15 15l5 5",
    brush: "M20 4c-5 2-9 6-11 10M9 14c-3 0-4 2-4 5 3 0 6-1 6-4zM4 19.5h1",
    eraser: "M8 20h12M4.5 14.5L13 6l6 6-7 7.5H9zM8.5 10.5l6 6",
    polygon: "M6 6l12-1 2 9-8 6-8-5zM6 6h.01M18 5h.01M20 14h.01M12 20h.01M4 15h.01",
    move: "M12 3v18M3 12h18M12 3l-2.5 2.5M12 3l2.5 2.5M12 21l-2.5-2.5M12 21l2.5-2.5M3 12l2.5-2.5M3 12l2.5 2.5M21 12l-2.5-2.5M21 12l-2.5 2.5",
    ignore: "M4 4h16v16H4zM4 14L14 4M4 20L20 4M10 20L20 10",
    undo: "M9 7L4 12l5 5M4 12h10a6 6 0 016 6",
    redo: "M15 7l5 5-5 5M20 12H10a6 6 0 00-6 6",
    fit: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
    eye: "M2 12c3-5 6.500-7 10-7s7 2 10 7c-3 5-6.500 7-10 7s-7-2-10-7zM12 9a3 3 0 110 6 3 3 0 010-6",
    hidden: "M4 4l16 16M9.500 5.500c4.500-1.500 9 .8 12.500 6.500-1 1.600-2 2.900-3.100 3.900M6 7c-1.500 1.200-2.800 2.900-4 5 3.400 5.600 7.700 8 12.200 6.700",
    bin: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
    left: "M15 5l-7 7 7 7",
    right: "M9 5l7 7-7 7",
    history: "M4 12a8 8 0 108-8 8 8 0 00-7 4M5 4v4h4M12 8v4l3 2",
    leave: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
    help: "M9 9a3 3 0 116 0c0 2-3 2.500-3 5M12 18h.01",
};

export const random = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), b => b.toString(16).padStart(2, "0")).join("");
