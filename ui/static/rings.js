// Geometry of outlines: rings of [x, y] in picture coordinates, as immutable arrays.

const replaced = (rings, ring, changed) => rings.map((other, i) => (i === ring ? changed : other)).filter(one => one.length >= 3);

export const withCorner = (rings, { ring, index }, at) => replaced(rings, ring, rings[ring].map((corner, i) => (i === index ? at : corner)));

export const withNewCorner = (rings, { ring, index }, at) => replaced(rings, ring, rings[ring].toSpliced(index + 1, 0, at));

export const withoutCorner = (rings, { ring, index }) => replaced(rings, ring, rings[ring].toSpliced(index, 1));

// The corner nearest to a point, {ring, index}, if it is within `reach`.
export function cornerAt(rings, [x, y], reach) {
    return nearest(rings, reach, ([cx, cy]) => Math.hypot(cx - x, cy - y));
}

// The edge nearest to a point, named by its first corner, if it is within `reach`.
export function edgeAt(rings, point, reach) {
    return nearest(rings, reach, (a, b) => {
        const [x, y] = onEdge(a, b, point);
        return Math.hypot(x - point[0], y - point[1]);
    });
}

// The point of the edge from a to b that is nearest to a point.
export function onEdge([ax, ay], [bx, by], [x, y]) {
    const dx = bx - ax, dy = by - ay, length = dx * dx + dy * dy;
    const t = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
    return [ax + t * dx, ay + t * dy];
}

function nearest(rings, reach, distance) {
    let found = null, best = reach;
    rings.forEach((corners, ring) => corners.forEach((corner, index) => {
        const d = distance(corner, corners[(index + 1) % corners.length]);
        if (d <= best) [found, best] = [{ ring, index }, d];
    }));
    return found;
}
