"use strict";
// The page: draws what the data hold, and asks the model of the page for all else.

const DATA = JSON.parse(document.getElementById("data").textContent);
const MODEL = DATA.recipe ? prepared(DATA.recipe) : null;
const ROWS = { X: DATA.rows.X.map(unpacked), number: DATA.rows.number };
for (const name of ["y", "mean", "prior", "resp"]) ROWS[name] = unpacked(DATA.rows[name]);
ROWS.experts = DATA.rows.experts ? unpacked(DATA.rows.experts) : null;
const N = ROWS.number.length, K = DATA.leaves.length, T = DATA.outputs.length;
const CLASSES = DATA.task === "classification";
const COLORS = colors(K);
const state = { row: null, index: null, pinned: null, chosen: null, order: 0, page: 0 };

// Colours that people with colour blindness tell apart; then the same darker and lighter.
function colors(n) {
  const safe = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999"];
  const mixed = (hex, share, to) =>
    "#" + [1, 3, 5].map((i) => Math.round(parseInt(hex.slice(i, i + 2), 16) * share + to * (1 - share)))
      .map((v) => v.toString(16).padStart(2, "0")).join("");
  const all = [...safe, ...safe.map((c) => mixed(c, 0.55, 0)), ...safe.map((c) => mixed(c, 0.5, 255))];
  return Array.from({ length: n }, (_, k) => (n <= 24 ? all[k] : `hsl(${(k * 222.5) % 360} 60% 45%)`));
}

// -- small parts -------------------------------------------------------------------------------------------------------

// A number in so many significant digits.
function short(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (!Number.isFinite(value)) return value > 0 ? "infinite" : "-infinite";
  const text = Number(value.toPrecision(digits));
  return Math.abs(text) >= 1e7 || (text !== 0 && Math.abs(text) < 1e-4) ? text.toExponential() : String(text);
}

function odds(p) {
  if (p >= 1) return "certain";
  const o = p / (1 - p);
  return o > 1e4 ? "> 10000 : 1" : o >= 1 ? `${short(o, 3)} : 1` : `1 : ${short(1 / o, 3)}`;
}

// An element with attributes and children; text is only ever set as text.
function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}
function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null) element.append(child);
  return element;
}
function show(id, ...children) {
  document.getElementById(id).replaceChildren(...children.flat());
}

function wrapped(text, width, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && lines.at(-1).length + 1 + word.length > width) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  if (lines.length > most) lines.splice(most - 1, lines.length, `${lines[most - 1].slice(0, width - 2)} \u2026`);
  return lines.map((line) => (line.length > width + 2 ? `${line.slice(0, width)}\u2026` : line));
}

function table(headings, rows, attributes = () => ({})) {
  const head = make("tr", {}, headings.map((heading) => make("th", {}, heading)));
  return [head, ...rows.map((row, i) => make("tr", attributes(i), row.map((cell) => make("td", {}, cell))))];
}

function at(array, i, j = 0, l = 0) {
  const [, b = 1, c = 1] = array.shape;
  return array.values[(i * b + j) * c + l];
}

// -- plots -------------------------------------------------------------------------------------------------------------

function ticks(low, high, most = 5) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most, unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw * 0.999);
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return found;
}

// A frame with axes: { root, x, y } where x and y turn values into places.
function plot(width, height, [x0, x1], [y0, y1], xLabel, yLabel, { yTicks = true } = {}) {
  const left = yTicks ? 64 : 18, right = 10, top = 8, bottom = 36;
  if (!(x1 > x0)) [x0, x1] = [x0 - 1, x0 + 1];
  if (!(y1 > y0)) [y0, y1] = [y0 - 1, y0 + 1];
  const x = (v) => left + ((v - x0) / (x1 - x0)) * (width - left - right);
  const y = (v) => height - bottom - ((v - y0) / (y1 - y0)) * (height - top - bottom);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `${yLabel} by ${xLabel}` });
  root.append(svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom, fill: "none", stroke: "#bbb" }));
  for (const v of ticks(x0, x1)) {
    root.append(svg("line", { x1: x(v), x2: x(v), y1: height - bottom, y2: height - bottom + 4, stroke: "#bbb" }));
    root.append(svg("text", { x: x(v), y: height - bottom + 15, "text-anchor": "middle", class: "pale" }, short(v)));
  }
  for (const v of yTicks ? ticks(y0, y1, 4) : []) {
    root.append(svg("line", { x1: left - 4, x2: left, y1: y(v), y2: y(v), stroke: "#bbb" }));
    root.append(svg("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end", class: "pale" }, short(v)));
  }
  root.append(svg("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, xLabel));
  root.append(svg("text", { x: 11, y: (height - bottom) / 2, transform: `rotate(-90 11 ${(height - bottom) / 2})`, "text-anchor": "middle" }, yLabel));
  const clip = `clip${(plot.count = (plot.count || 0) + 1)}`;
  root.append(svg("clipPath", { id: clip }, svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom })));
  const inside = svg("g", { "clip-path": `url(#${clip})` });
  root.append(inside);
  return { root, inside, x, y };
}

function polyline(frame, xs, ys, attributes) {
  const points = xs.map((x, i) => `${frame.x(x).toFixed(2)},${frame.y(ys[i]).toFixed(2)}`).join(" ");
  frame.inside.append(svg("polyline", { points, fill: "none", ...attributes }));
}

function area(frame, xs, low, high, fill) {
  const there = xs.map((x, i) => `${frame.x(x).toFixed(2)},${frame.y(high[i]).toFixed(2)}`);
  const back = xs.map((x, i) => `${frame.x(x).toFixed(2)},${frame.y(low[i]).toFixed(2)}`).reverse();
  frame.inside.append(svg("polygon", { points: [...there, ...back].join(" "), fill, "fill-opacity": 0.45 }));
}

function upright(frame, v, attributes) {
  frame.inside.append(svg("line", { x1: frame.x(v), x2: frame.x(v), y1: 0, y2: 1000, ...attributes }));
}

function bars(frame, edges, heights, fill) {
  heights.forEach((h, i) => {
    const [a, b] = [frame.x(edges[i]), frame.x(edges[i + 1])];
    frame.inside.append(svg("rect", { x: a + 0.5, width: Math.max(b - a - 1, 0.5), y: frame.y(h), height: Math.max(frame.y(0) - frame.y(h), 0), fill }));
  });
}

function span(values, room = 0.05) {
  let low = Infinity, high = -Infinity;
  for (const v of values) if (Number.isFinite(v)) [low, high] = [Math.min(low, v), Math.max(high, v)];
  return [low - room * (high - low), high + room * (high - low)];
}

// -- the tree ----------------------------------------------------------------------------------------------------------

const LEVEL = 226, LINE = 58, BOX = [164, 46], LEAF = 290, MOST_CURVES = 6;

// Places of gating nodes and leaves.
function layout() {
  const nodes = DATA.tree.map(() => null), leaves = [];
  let next = 0, depth = 0;
  const walk = (child, level) => {
    depth = Math.max(depth, level);
    if (child < 0) return (leaves[~child] = 30 + LINE * next++);
    const ys = DATA.tree[child].filter((c) => c !== 0).map((c) => walk(c, level + 1));
    nodes[child] = { x: 6 + LEVEL * level, y: (ys[0] + ys.at(-1)) / 2 };
    return nodes[child].y;
  };
  if (DATA.tree.length) walk(0, 0);
  else leaves[0] = 30;
  const left = DATA.tree.length ? 6 + LEVEL * depth : 6;
  return { nodes, leaves, left, width: left + LEAF + 10, height: Math.max(LINE * Math.max(next, 1) + 6, 66) };
}

function loadBelow(child) {
  return below(DATA.tree, child).reduce((sum, k) => sum + DATA.leaves[k].load, 0);
}

function drawTree() {
  const { nodes, leaves, left, width, height } = layout(), said = saidOf(state.row, state.index);
  const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "tree", "aria-label": "tree" });
  DATA.tree.forEach((children, m) => children.forEach((child, b) => {
    if (child === 0) return;
    const from = nodes[m], x0 = from.x + BOX[0], x1 = child < 0 ? left : nodes[child].x;
    const y1 = child < 0 ? leaves[~child] : nodes[child].y, bend = Math.min(from.x + LEVEL, x1);
    const path = `M${x0},${from.y} C${(x0 + bend) / 2},${from.y} ${(x0 + bend) / 2},${y1} ${bend},${y1} L${x1},${y1}`;
    const color = child < 0 ? COLORS[~child] : "#999";
    root.append(svg("path", { d: path, fill: "none", stroke: color, "stroke-opacity": 0.35, "stroke-width": 1 + 26 * loadBelow(child) }));
    if (said) {
      const reach = below(DATA.tree, child).reduce((sum, k) => sum + said.prior[k], 0);
      root.append(svg("path", { d: path, fill: "none", stroke: "#222", "stroke-opacity": Math.max(reach, 0.02), "stroke-width": 2.5 }));
    }
    const answer = DATA.questions[m].answers[b] || "", p = said && said.branches[m][b];
    const share = said ? ` ${p < 0.001 ? "<0.001" : short(p, 2)}` : "";
    const text = `${answer.length > 9 ? `${answer.slice(0, 8)}\u2026` : answer}${share}`;
    root.append(svg("text", { x: bend - 4, y: y1 - 4, "text-anchor": "end", class: "pale" }, text, svg("title", {}, answer)));
  }));
  nodes.forEach((place, m) => root.append(thing({ gate: m }, place.x, place.y, BOX[0], "#555", wrapped(DATA.questions[m].text, 23, 2), DATA.questions[m].text)));
  leaves.forEach((y, k) => {
    const leaf = DATA.leaves[k], title = `leaf ${leaf.name}, load ${short(leaf.load, 2)}`;
    const line = leaf.lines.length > 1 ? `${leaf.lines[0]} \u2026` : leaf.lines[0];
    root.append(thing({ leaf: k }, left, y, LEAF, COLORS[k], [title, ...wrapped(line.trim(), 41, 2)], line));
  });
  show("drawing", root);
}

// A box of the tree that can be chosen.
function thing(what, x, y, width, color, lines, title) {
  const chosen = state.chosen && state.chosen.gate === what.gate && state.chosen.leaf === what.leaf;
  const choose = () => { state.chosen = what; drawTree(); drawDetails(); };
  const id = what.leaf === undefined ? `gate${what.gate}` : `leaf${what.leaf}`;
  const group = svg("g", {
    class: `thing${chosen ? " chosen" : ""}`, tabindex: 0, role: "treeitem", id, "aria-selected": chosen ? "true" : "false",
    onclick: choose, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); document.getElementById(id).focus(); } },
  }, svg("title", {}, title), svg("rect", { class: "box", x, y: y - BOX[1] / 2, width, height: BOX[1], rx: 6, fill: "#fff", stroke: color, "stroke-width": 1.5 }));
  const first = y + 4 - 7 * (lines.length - 1);
  lines.forEach((line, i) => group.append(svg("text", { x: x + 8, y: first + 14 * i, "font-weight": what.leaf !== undefined && i === 0 ? "bold" : null }, line)));
  return group;
}

// -- what was chosen in the tree ---------------------------------------------------------------------------------------

function drawDetails() {
  if (!state.chosen) return show("details", make("p", { class: "hint" }, "Choose a gate or a leaf."));
  if (state.chosen.leaf !== undefined) return leafDetails(state.chosen.leaf);
  return gateDetails(state.chosen.gate);
}

function gateDetails(m) {
  const question = DATA.questions[m], children = DATA.tree[m].map((c, b) => [c, b]).filter(([c]) => c !== 0);
  const parts = [make("h3", {}, `${question.name}, load ${short(loadBelow(m) || 1, 3)}`), make("p", { class: "equation" }, question.text)];
  if (question.details.length) parts.push(make("p", { class: "equation" }, question.details.join("\n")));
  const rows = children.map(([c, b]) => [
    question.answers[b] || `branch ${b}`, c < 0 ? `leaf ${DATA.leaves[~c].name}` : DATA.questions[c].name, short(loadBelow(c), 3),
  ]);
  parts.push(make("table", {}, table(["answer", "leads to", "load"], rows)));
  const [child] = children.at(-1), leaves = below(DATA.tree, child), every = children.flatMap(([c]) => below(DATA.tree, c));
  for (const [name, array] of [["before y is seen", ROWS.prior], ["after y is seen", ROWS.resp]]) {
    const heights = new Array(20).fill(0);
    for (let i = 0; i < N; i++) {
      const reach = every.reduce((sum, k) => sum + at(array, i, k), 0);
      const share = reach > 0 ? leaves.reduce((sum, k) => sum + at(array, i, k), 0) / reach : 0;
      heights[Math.min(19, Math.floor(share * 20))] += reach;
    }
    const frame = plot(340, 150, [0, 1], [0, 1.05 * Math.max(...heights)], `probability of ${answerOf(m, children.at(-1)[1])} ${name}`, "rows");
    bars(frame, Array.from({ length: 21 }, (_, i) => i / 20), heights, "#777");
    parts.push(frame.root);
  }
  show("details", parts);
}

// Rows that an expert answers for most, at most so many.
function ownRows(k, most) {
  const order = Array.from({ length: N }, (_, i) => i).filter((i) => at(ROWS.resp, i, k) > 0.02);
  return order.sort((a, b) => at(ROWS.resp, b, k) - at(ROWS.resp, a, k)).slice(0, most);
}

// The curves of an expert that bends, those of the largest reach.
function curvesOf(k, t) {
  const bent = MODEL ? [...new Set(MODEL.tree.maps[0].filter((form) => form.pieces).map((form) => form.column))] : [];
  const found = bent.map((c) => {
    const { low, high } = DATA.columns[c], xs = Array.from({ length: 60 }, (_, i) => low + ((high - low) * i) / 59);
    const values = xs.map((v) => added(MODEL.tree, k, t, c, v)), first = values[0];
    return { c, xs, ys: values.map((v) => v - first) };
  });
  const reach = ({ ys }) => Math.max(...ys) - Math.min(...ys), both = span(found.flatMap(({ ys }) => ys));
  return found.sort((a, b) => reach(b) - reach(a)).slice(0, MOST_CURVES).map(({ c, xs, ys }) => {
    const { name, low, high } = DATA.columns[c], frame = plot(340, 110, [low, high], both, name, `s(${name})`);
    polyline(frame, xs, ys, { stroke: COLORS[k], "stroke-width": 2 });
    return frame.root;
  });
}

function leafDetails(k) {
  const leaf = DATA.leaves[k], own = ownRows(k, 800), t = shownOutput();
  const parts = [make("h3", {}, `leaf ${leaf.name}, load ${short(leaf.load, 3)}`), make("p", { class: "equation" }, leaf.lines.join("\n"))];
  if (CLASSES) {
    const counts = DATA.outputs.map((_, c) => {
      let sum = 0;
      for (let i = 0; i < N; i++) if (ROWS.y.values[i] === c) sum += at(ROWS.resp, i, k);
      return sum;
    });
    const whole = counts.reduce((a, b) => a + b, 0) || 1;
    parts.push(make("table", {}, table(["class", "its rows", "share"], DATA.outputs.map((label, c) => [label, short(counts[c], 3), short(counts[c] / whole, 3)]))));
  } else {
    const seen = own.map((i) => at(ROWS.y, i, t)), said = own.map((i) => saidOf(rowAt(i), i).experts[k][t]), numeric = DATA.columns.length === 1 && !DATA.columns[0].levels;
    const dots = (frame, xs, ys) => own.forEach((i, n) => frame.inside.append(svg("circle", { cx: frame.x(xs[n]), cy: frame.y(ys[n]), r: 2.2, fill: COLORS[k], "fill-opacity": (0.85 * at(ROWS.resp, i, k)).toFixed(3) })));
    const name = outputName(t);
    if (numeric) {
      const xs = own.map((i) => ROWS.X[0].values[i]), column = DATA.columns[0], frame = plot(340, 190, [column.low, column.high], span(ROWS.y.values), column.name, name);
      dots(frame, xs, seen);
      if (MODEL) {
        const grid = Array.from({ length: 100 }, (_, i) => column.low + ((column.high - column.low) * i) / 99);
        polyline(frame, grid, grid.map((v) => predict(MODEL, [v]).experts[k][t]), { stroke: COLORS[k], "stroke-width": 2 });
      }
      parts.push(frame.root);
    } else {
      const both = span([...seen, ...said]), frame = plot(340, 190, both, both, `${name} predicted by the expert`, name);
      frame.inside.append(svg("line", { x1: frame.x(both[0]), y1: frame.y(both[0]), x2: frame.x(both[1]), y2: frame.y(both[1]), stroke: "#999" }));
      dots(frame, said, seen);
      parts.push(frame.root);
    }
    const residuals = seen.map((v, n) => v - said[n]), ends = span(residuals, 0.02), heights = new Array(20).fill(0);
    own.forEach((i, n) => { heights[Math.min(19, Math.max(0, Math.floor(((residuals[n] - ends[0]) / (ends[1] - ends[0])) * 20)))] += at(ROWS.resp, i, k); });
    const frame = plot(340, 150, ends, [0, 1.05 * Math.max(...heights, 1e-9)], "residual", "rows");
    bars(frame, Array.from({ length: 21 }, (_, i) => ends[0] + ((ends[1] - ends[0]) * i) / 20), heights, COLORS[k]);
    parts.push(frame.root);
  }
  parts.push(make("p", { class: "hint" }, `${own.length} rows, as dark as the expert is responsible for them.`));
  const curves = DATA.columns.length > 1 ? curvesOf(k, t) : [];
  if (curves.length) parts.push(make("h4", {}, "Curves, from zero at the least value"), ...curves);
  show("details", parts);
}

// -- a row -------------------------------------------------------------------------------------------------------------

// What the model says of a row: by its recipe, or as it was stored.
function saidOf(row, index) {
  if (!row) return null;
  if (MODEL) return predict(MODEL, row);
  if (index === null) return null;
  const prior = Array.from({ length: K }, (_, k) => at(ROWS.prior, index, k));
  const experts = prior.map((_, k) => Array.from({ length: T }, (_, t) => at(ROWS.experts, index, k, t)));
  const branches = DATA.tree.map((children) => {
    const mass = children.map((c) => (c === 0 ? 0 : below(DATA.tree, c).reduce((sum, k) => sum + prior[k], 0)));
    const whole = mass.reduce((a, b) => a + b, 0);
    return mass.map((part) => (whole > 0 ? part / whole : 0));
  });
  return { prior, branches, experts, mean: Array.from({ length: T }, (_, t) => at(ROWS.mean, index, t)), dist: null };
}

function shownOutput() {
  if (!CLASSES) return 0;
  const said = saidOf(state.row, state.index);
  return said ? said.mean.indexOf(Math.max(...said.mean)) : T - 1;
}
function outputName(t) {
  return CLASSES ? `P(${DATA.outputs[t]})` : T > 1 ? `${DATA.target}[${DATA.outputs[t]}]` : DATA.target;
}

function rowAt(index) {
  return ROWS.X.map((column) => column.values[index]);
}

function take(index) {
  state.row = rowAt(index);
  state.index = index;
  drawSliders();
  changed();
}

function changed() {
  drawTree();
  drawAnswer();
}

function drawSliders() {
  const wanted = document.getElementById("filter").value.toLowerCase();
  show("sliders", DATA.columns.map((column, j) => {
    const value = state.row[j], set = (v) => { state.row[j] = v; state.index = null; changed(); };
    const locked = MODEL ? null : "disabled", hidden = column.name.toLowerCase().includes(wanted) ? null : "display:none";
    const name = make("span", { title: column.name }, column.name);
    if (column.levels) {
      const select = make("select", { "aria-label": column.name, disabled: locked, onchange: (event) => set(Number(event.target.value)) },
        column.levels.map((level, code) => make("option", { value: code, selected: code === value ? "selected" : null }, level)));
      return make("label", { class: "slider", style: hidden }, name, select);
    }
    const step = column.whole ? 1 : "any", limits = { min: column.low, max: column.high, step, value, disabled: locked };
    const number = make("input", { type: "number", step, value: column.whole ? value : short(value, 5), disabled: locked, "aria-label": `${column.name}, number` });
    const range = make("input", { type: "range", ...limits, "aria-label": column.name, id: `slider${j}` });
    range.addEventListener("input", () => { number.value = short(Number(range.value), 5); set(Number(range.value)); });
    number.addEventListener("change", () => { if (number.value !== "" && Number.isFinite(Number(number.value))) { range.value = number.value; set(Number(number.value)); } });
    return make("label", { class: "slider", style: hidden }, name, range, number);
  }));
}

// What a branch is called: its answer, or where it leads if the answer is a score.
function answerOf(m, branch) {
  const answer = DATA.questions[m].answers[branch], child = DATA.tree[m][branch];
  if (answer && answer.length <= 14) return answer;
  return child < 0 ? `leaf ${DATA.leaves[~child].name}` : DATA.questions[child].name;
}

// The way to the most probable leaf, as lines.
function way(said) {
  if (!DATA.tree.length) return [];
  const lines = [];
  let m = 0;
  for (;;) {
    const branch = said.branches[m].indexOf(Math.max(...said.branches[m])), p = said.branches[m][branch], child = DATA.tree[m][branch];
    const answer = answerOf(m, branch);
    lines.push(`${DATA.questions[m].name}: ${answer} with probability ${short(p, 3)} (${odds(p)})`);
    if (child < 0) return lines;
    m = child;
  }
}

function drawAnswer() {
  const said = saidOf(state.row, state.index), pinned = state.pinned && saidOf(state.pinned.row, state.pinned.index);
  if (!said) return show("answer", make("p", { class: "hint" }, "Take a row."));
  const t = shownOutput(), parts = [];
  const seen = state.index === null ? null : at(ROWS.y, state.index, CLASSES ? 0 : t);
  const title = state.index === null ? "A row of your own" : `Row ${ROWS.number[state.index]}`;
  parts.push(make("h3", {}, title), make("p", { class: "big", id: "prediction" }, sentence(said, t)));
  if (seen !== null) parts.push(make("p", {}, CLASSES ? `${DATA.outputs[seen]} was observed.` : `${short(seen)} was observed${said.dist ? `, at the ${short(below_(said, seen), 3)} quantile` : ""}.`));
  if (DATA.averaged) parts.push(make("p", { class: "hint" }, averageSaid(said, t)));
  if (pinned) {
    parts.push(make("p", { id: "compared" }, `Pinned: ${sentence(pinned, t)} The difference is ${short(said.mean[t] - pinned.mean[t])}.`));
    const different = DATA.columns.map((c, j) => j).filter((j) => state.row[j] !== state.pinned.row[j]);
    const cell = (row, j) => (DATA.columns[j].levels ? DATA.columns[j].levels[row[j]] : short(row[j]));
    if (different.length) parts.push(make("div", { class: "scroll" }, make("table", {}, table(["column", "pinned", "this row"], different.slice(0, 12).map((j) => [DATA.columns[j].name, cell(state.pinned.row, j), cell(state.row, j)])))));
  }
  parts.push(make("ul", { class: "path" }, way(said).map((line) => make("li", {}, line))));
  const order = Array.from({ length: K }, (_, k) => k).sort((a, b) => said.prior[b] - said.prior[a]).slice(0, 8);
  const rows = order.map((k) => [
    `leaf ${DATA.leaves[k].name}`,
    make("span", {}, make("span", { class: "bar", style: `width:${(70 * said.prior[k]).toFixed(1)}px;background:${COLORS[k]}` }), ` ${said.prior[k] < 0.001 ? "<0.001" : short(said.prior[k], 3)}`),
    short(said.experts[k][t]), short(said.prior[k] * said.experts[k][t]),
  ]);
  parts.push(make("div", { class: "scroll" }, make("table", {}, table(["expert", "prior", `mean of ${outputName(t)}`, "product"], rows))));
  if (MODEL) parts.push(addedTable(t));
  if (CLASSES) parts.push(classBars(said, pinned));
  else if (said.dist) parts.push(densityPlot(said, pinned, seen));
  show("answer", parts);
}

// What the columns add to the prediction of the mean row.
function addedTable(t) {
  const { base, mean, gate, expert } = contributions(MODEL, state.row), both = gate.map((own, j) => own[t] + expert[j][t]);
  const least = 1e-9 * (Math.abs(base[t]) + Math.abs(mean[t])); // what is left of rounding
  const order = both.map((_, j) => j).filter((j) => Math.abs(gate[j][t]) + Math.abs(expert[j][t]) > least).sort((a, b) => Math.abs(both[b]) - Math.abs(both[a]));
  const shown = order.slice(0, 8), rest = order.slice(8), sum = (array) => rest.reduce((a, j) => a + array[j][t], 0);
  const signed = (v) => `${v >= 0 ? "+" : ""}${short(v)}`;
  const rows = [["the mean row", "", "", short(base[t])]];
  shown.forEach((j) => rows.push([DATA.columns[j].name, signed(gate[j][t]), signed(expert[j][t]), signed(both[j])]));
  if (rest.length) rows.push([`${rest.length} more columns`, signed(sum(gate)), signed(sum(expert)), signed(sum(gate) + sum(expert))]);
  rows.push(["this row", "", "", short(mean[t])]);
  return make("div", { class: "scroll" }, make("table", { id: "adds" }, table(["what columns add", "through the gate", "within experts", "together"], rows)));
}

// That the prediction is an average over sizes, and what the tree alone says.
function averageSaid(said, t) {
  const alone = said.own ? `, which alone predicts ${short(said.own[t])}` : "";
  return `The prediction is the average over ${DATA.averaged}. Path and experts are those of the tree${alone}.`;
}

function sentence(said, t) {
  if (CLASSES) return `${DATA.target} is ${DATA.outputs[t]} with probability ${short(said.mean[t])}.`;
  if (T > 1) return `${DATA.outputs.map((label, i) => `${DATA.target}[${label}] = ${short(said.mean[i])}`).join(", ")}.`;
  if (!said.dist) return `${DATA.target} = ${short(said.mean[0])}.`;
  const [low, high] = interval(said, DATA.coverage);
  return `${DATA.target} = ${short(said.mean[0])}, between ${short(low)} and ${short(high)} with probability ${DATA.coverage}.`;
}

function classBars(said, pinned) {
  const height = 24 * T + 46, frame = plot(380, height, [0, 1], [-0.5, T - 0.5], "probability", "", { yTicks: false });
  said.mean.forEach((p, c) => {
    const y = frame.y(T - 1 - c);
    frame.inside.append(svg("rect", { x: frame.x(0), width: Math.max(frame.x(p) - frame.x(0), 0), y: y - 8, height: 16, fill: "#9ab" }));
    if (pinned) frame.inside.append(svg("line", { x1: frame.x(pinned.mean[c]), x2: frame.x(pinned.mean[c]), y1: y - 10, y2: y + 10, stroke: "#d55e00", "stroke-width": 2 }));
    frame.root.append(svg("text", { x: frame.x(0) + 6, y: y + 4 }, `${DATA.outputs[c]} ${short(p, 3)}`));
  });
  return frame.root;
}

function densityPlot(said, pinned, seen) {
  const discrete = said.dist.every((one) => one.discrete), both = pinned ? [said, pinned] : [said];
  let low = Math.min(...both.map((one) => quantile(one, 0.001))), high = Math.max(...both.map((one) => quantile(one, 0.999)));
  if (seen !== null) [low, high] = [Math.min(low, seen), Math.max(high, seen)];
  const m = discrete ? Math.min(high - low + 1, 300) : 240, xs = Array.from({ length: m }, (_, i) => low + ((high - low) * i) / Math.max(m - 1, 1));
  const grid = discrete ? [...new Set(xs.map(Math.round))] : xs, found = grid.map((v) => density(said, v));
  const other = pinned && grid.map((v) => density(pinned, v).whole);
  const tallest = Math.max(...found.map((f) => f.whole).filter(Number.isFinite), ...(other || [0]));
  const frame = plot(440, 220, span(grid, 0.01), [0, 1.08 * tallest], DATA.target, discrete ? "probability" : "density");
  const [from, to] = interval(said, DATA.coverage);
  frame.inside.append(svg("rect", { x: frame.x(from), width: Math.max(frame.x(to) - frame.x(from), 1), y: 0, height: 1000, fill: "#e4e4e4" }));
  let base = grid.map(() => 0);
  if (!said.alone) area(frame, grid, base, found.map((f) => f.whole), "#bbb");
  else Array.from({ length: K }, (_, k) => k).filter((k) => said.prior[k] > 1e-4).sort((a, b) => said.prior[b] - said.prior[a]).slice(0, 12).forEach((k) => {
    const next = base.map((v, i) => v + (Number.isFinite(found[i].parts[k]) ? found[i].parts[k] : 0));
    area(frame, grid, base, next, COLORS[k]);
    base = next;
  });
  polyline(frame, grid, found.map((f) => Math.min(f.whole, 2 * tallest)), { stroke: "#222", "stroke-width": 1.6 });
  if (other) polyline(frame, grid, other, { stroke: "#222", "stroke-width": 1.4, "stroke-dasharray": "5 4" });
  upright(frame, said.mean[0], { stroke: "#222", "stroke-dasharray": "2 3" });
  if (seen !== null) upright(frame, seen, { stroke: "#d55e00", "stroke-width": 2 });
  return make("div", {}, frame.root, make("p", { class: "hint" }, `Grey: the ${DATA.coverage} interval. Dotted: the mean.${seen === null ? "" : " Orange: what was seen."}${pinned ? " Dashed: the pinned row." : ""}`));
}

// -- rows, scores, starts ----------------------------------------------------------------------------------------------

const ORDERS = [
  ["number", (i) => i],
  ["surprise, largest first", (i) => -surprise(i)],
  ["prediction, largest first", (i) => -at(ROWS.mean, i, CLASSES ? T - 1 : 0)],
  ["certainty of the expert, least first", (i) => Math.max(...Array.from({ length: K }, (_, k) => at(ROWS.prior, i, k)))],
];
const PAGE = 12;

// How far what was seen is from the prediction.
function surprise(i) {
  if (CLASSES) return 1 - at(ROWS.mean, i, ROWS.y.values[i]);
  let sum = 0;
  for (let t = 0; t < T; t++) sum += Math.abs(at(ROWS.y, i, t) - at(ROWS.mean, i, t));
  return sum;
}

function drawRows() {
  const key = ORDERS[state.order][1], order = Array.from({ length: N }, (_, i) => [key(i), i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
  const pages = Math.ceil(N / PAGE);
  state.page = Math.min(Math.max(state.page, 0), pages - 1);
  const part = order.slice(state.page * PAGE, (state.page + 1) * PAGE), columns = DATA.columns.slice(0, 8);
  const headings = ["row", DATA.target, CLASSES ? "most probable" : "prediction", CLASSES ? "probability" : "residual", "expert", ...columns.map((c) => c.name)];
  if (DATA.columns.length > 8) headings.push(`${DATA.columns.length - 8} more`);
  const rows = part.map((i) => {
    const prior = Array.from({ length: K }, (_, k) => at(ROWS.prior, i, k)), best = prior.indexOf(Math.max(...prior));
    const mean = Array.from({ length: T }, (_, t) => at(ROWS.mean, i, t)), top = mean.indexOf(Math.max(...mean));
    const told = CLASSES ? [DATA.outputs[ROWS.y.values[i]], DATA.outputs[top], short(mean[top], 3)] : [short(at(ROWS.y, i)), short(mean[0]), short(at(ROWS.y, i) - mean[0], 3)];
    return [String(ROWS.number[i]), ...told, DATA.leaves[best].name, ...columns.map((c, j) => (c.levels ? c.levels[ROWS.X[j].values[i]] : short(ROWS.X[j].values[i])))];
  });
  const choose = (n) => () => { take(part[n]); document.getElementById("row").scrollIntoView(); };
  show("table", table(headings, rows, (n) => ({ class: "row", tabindex: 0, title: "Take this row", onclick: choose(n), onkeydown: (e) => { if (e.key === "Enter") choose(n)(); } })));
  const turn = (by) => () => { state.page += by; drawRows(); };
  show("pages", make("button", { type: "button", onclick: turn(-1) }, "\u2039"), ` ${state.page + 1} of ${pages} `, make("button", { type: "button", onclick: turn(1) }, "\u203a"));
}

function drawQuality() {
  show("scores", make("table", {}, table([`of ${DATA.n} rows`, ""], DATA.scores.map(([name, value]) => [name, short(value)]))),
    ...DATA.notes.map((note) => make("p", { class: "hint" }, note)));
  const { kind, bins: found } = DATA.calibration;
  if (kind === "pit") {
    const whole = found.reduce((a, b) => a + b, 0), heights = found.map((c) => (c * found.length) / whole);
    const frame = plot(440, 220, [0, 1], [0, 1.08 * Math.max(...heights, 1.2)], "probability integral transform", "density");
    bars(frame, Array.from({ length: found.length + 1 }, (_, i) => i / found.length), heights, "#9ab");
    frame.inside.append(svg("line", { x1: 0, x2: 1000, y1: frame.y(1), y2: frame.y(1), stroke: "#222" }));
    show("calibration", frame.root, make("p", { class: "hint" }, "Flat if predictive distributions are right; a hump means too wide, a bowl too narrow."));
  } else if (kind === "reliability") {
    const frame = plot(340, 260, [0, 1], [0, 1], "probability of the most probable class", "share that was right");
    frame.inside.append(svg("line", { x1: frame.x(0), y1: frame.y(0), x2: frame.x(1), y2: frame.y(1), stroke: "#999" }));
    const most = Math.max(...found.map((b) => b[2]));
    found.forEach(([p, share, count]) => frame.inside.append(svg("circle", { cx: frame.x(p), cy: frame.y(share), r: 3 + 7 * Math.sqrt(count / most), fill: "#0072b2", "fill-opacity": 0.6 }, svg("title", {}, `${count} rows`))));
    show("calibration", frame.root, make("p", { class: "hint" }, "On the line if probabilities are right; circles grow with their rows."));
  }
}

function drawStarts() {
  const curves = DATA.starts.filter((s) => s.curve.length), every = curves.flatMap((s) => s.curve);
  if (every.length) {
    const best = Math.max(...every.map((p) => p[1])), sorted = every.map((p) => p[1]).sort((a, b) => a - b), low = sorted[Math.floor(0.1 * (sorted.length - 1))];
    const frame = plot(440, 230, [1, Math.max(...every.map((p) => p[0]), 2)], [best - 1.4 * (best - low) || best - 1, best + 0.05 * (best - low) + 1e-9], "sweep", "objective");
    curves.forEach((s) => polyline(frame, s.curve.map((p) => p[0]), s.curve.map((p) => p[1]), { stroke: s.kept ? "#0072b2" : "#999", "stroke-width": s.kept ? 2.5 : 1, "stroke-dasharray": ["outrun", "twin"].includes(s.ended) ? "2 3" : null }));
    show("curves", frame.root, make("p", { class: "hint" }, "Blue: the start that was kept. Dotted: left behind in a race."));
  }
  const rows = DATA.starts.map((s) => [String(s.number), s.start, s.objective.toFixed(5), String(s.sweeps), s.ended, s.kept ? "yes" : ""]);
  show("ends", make("table", {}, table(["", "start", "objective", "sweeps", "ended", "kept"], rows)));
}

// -- at work -----------------------------------------------------------------------------------------------------------

function begin() {
  document.title = DATA.title;
  show("title", DATA.title);
  const rows = DATA.whole === N ? `${N} rows` : `${N} of ${DATA.whole} rows, evenly chosen`;
  show("about", `${CLASSES ? "Classes" : "Numbers"}: ${DATA.target}. ${K} expert${K > 1 ? "s" : ""}, ${DATA.columns.length} column${DATA.columns.length > 1 ? "s" : ""}, ${rows}.`);
  show("reason", MODEL ? "Move a slider, and the model of this page predicts anew." : `Rows of the table only: ${DATA.reason}.`);
  const middle = () => { state.row = DATA.columns.map((c, j) => (c.levels ? mostCommon(ROWS.X[j].values) : c.whole ? Math.round(c.mean) : c.mean)); state.index = null; drawSliders(); changed(); };
  document.getElementById("random").addEventListener("click", () => take(Math.floor(Math.random() * N)));
  document.getElementById("middle").addEventListener("click", middle);
  document.getElementById("middle").hidden = !MODEL;
  const unpin = document.getElementById("unpin");
  document.getElementById("pin").addEventListener("click", () => { state.pinned = { row: [...state.row], index: state.index }; unpin.hidden = false; drawAnswer(); });
  unpin.addEventListener("click", () => { state.pinned = null; unpin.hidden = true; drawAnswer(); });
  const filter = document.getElementById("filter");
  filter.hidden = DATA.columns.length < 13;
  filter.addEventListener("input", drawSliders);
  const order = document.getElementById("order");
  ORDERS.forEach(([name], i) => order.append(make("option", { value: i }, name)));
  order.addEventListener("change", () => { state.order = Number(order.value); state.page = 0; drawRows(); });
  state.chosen = DATA.tree.length ? { gate: 0 } : { leaf: 0 };
  take(0);
  drawDetails();
  drawRows();
  drawQuality();
  drawStarts();
}

function mostCommon(values) {
  const counts = new Map();
  for (const v of values) counts.set(v, (counts.get(v) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0][0];
}

begin();
