'use strict';
// Each frame a body goes a part of the way to where the server last said that it is.
const bodies = new Map(); // session → where it is drawn

function panel(g, width, height, state) {
  const side = Math.min(width, height) - 20, left = (width - side) / 2, top = (height - side) / 2;
  const at = (x, y) => [left + x / state.panel.side * side, top + y / state.panel.side * side];
  g.strokeStyle = paint.line();
  for (let i = 0; i <= 8; i++) {
    const d = i * side / 8;
    g.globalAlpha = i % 8 ? 0.5 : 1;
    g.beginPath(); g.moveTo(left + d, top); g.lineTo(left + d, top + side); g.moveTo(left, top + d); g.lineTo(left + side, top + d); g.stroke();
  }
  const live = new Set(state.panel.bodies.map(p => p.session));
  for (const id of bodies.keys()) if (!live.has(id)) bodies.delete(id);
  for (const p of state.panel.bodies) {
    if (!bodies.has(p.session)) bodies.set(p.session, { x: p.x, y: p.y, trail: [] });
    const b = bodies.get(p.session);
    b.x += (p.x - b.x) * 0.15;
    b.y += (p.y - b.y) * 0.15;
    b.trail.push([b.x, b.y]);
    if (b.trail.length > 45) b.trail.shift();
    g.strokeStyle = g.fillStyle = hue(p.session);
    g.globalAlpha = 0.35; g.lineWidth = 2;
    g.beginPath(); b.trail.forEach(([x, y]) => g.lineTo(...at(x, y))); g.stroke();
    g.globalAlpha = 1; g.lineWidth = 1;
    const [x, y] = at(b.x, b.y);
    g.beginPath(); g.arc(x, y, 5, 0, 7); g.fill();
    if (live.size > 24) continue;
    g.fillStyle = paint.ink(); g.font = '11px system-ui, sans-serif';
    const row = rows.get(p.session), label = (row ? called(row.p) : String(p.session)).slice(0, 24);
    g.fillText(label, Math.min(x + 8, width - g.measureText(label).width - 4), y + 4);
  }
}
