// Small drawings over the masks, in CSS pixels: prompt dots, handles of corners, the brush's circle, pins of remarks.
const PIN = 9; // the radius of a pin

export function dot(context, [x, y], positive, over) {
    const radius = over ? 8 : 6.5;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    Object.assign(context, { fillStyle: positive ? "#16a34a" : "#dc2626", strokeStyle: "#fff", lineWidth: 1.5, shadowColor: "#000a", shadowBlur: 4 });
    context.fill();
    context.shadowBlur = 0;
    context.stroke();
    context.beginPath();
    if (over) { // a click here takes it away
        context.moveTo(x - 3, y - 3);
        context.lineTo(x + 3, y + 3);
        context.moveTo(x + 3, y - 3);
        context.lineTo(x - 3, y + 3);
    } else {
        context.moveTo(x - 3, y);
        context.lineTo(x + 3, y);
        if (positive) {
            context.moveTo(x, y - 3);
            context.lineTo(x, y + 3);
        }
    }
    context.stroke();
}

export function corner(context, [x, y], { selected = false, over = false } = {}) {
    const half = over || selected ? 4.5 : 3;
    Object.assign(context, { fillStyle: selected ? "#ffd43b" : "#fff", strokeStyle: "#000c", lineWidth: 1 });
    context.fillRect(x - half, y - half, 2 * half, 2 * half);
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
}

// A path of screen points in white on black, so that it shows on every photograph.
export function line(context, points, { closed = false, dashed = false } = {}) {
    if (points.length < 2) return;
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (closed) context.closePath();
    context.setLineDash(dashed ? [5, 4] : []);
    for (const [colour, width] of [["#000a", 3], ["#fff", 1.25]]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.stroke();
    }
    context.setLineDash([]);
}

export function circle(context, [x, y], radius, dashed) {
    for (const [colour, width] of [["#000b", 3], ["#fff", 1.25]]) {
        context.beginPath();
        context.arc(x, y, Math.max(1, radius), 0, 2 * Math.PI);
        context.setLineDash(dashed ? [4, 4] : []);
        Object.assign(context, { strokeStyle: colour, lineWidth: width });
        context.stroke();
    }
    context.setLineDash([]);
    context.fillStyle = "#fff";
    context.fillRect(x - 0.5, y - 0.5, 1.5, 1.5);
}

// A numbered remark on a pixel; `old`: of an earlier review.
export function pin(context, [x, y], { number, old }) {
    context.beginPath();
    context.arc(x, y, PIN, 0, 2 * Math.PI);
    context.fillStyle = old ? "#14161acc" : "#ffc857";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = old ? "#ffc857" : "#14161a";
    context.stroke();
    context.fillStyle = old ? "#ffc857" : "#14161a";
    context.font = "bold 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(number, x, y + 0.5);
}
