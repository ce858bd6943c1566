"use strict";
// Draws a plan: levels from left to right, objects as boxes, needs as lines. Everything is shown by textContent and
// setAttribute, never as markup: names come from an archive that anybody may have written.
const plan = JSON.parse(document.getElementById("plan").textContent);
const $ = (id) => document.getElementById(id);
const WIDTH = 176, HEIGHT = 34, GAP = 8, PAD = 12, HEAD = 52, BETWEEN = 48, SUB = 14;
const LEGIBLE = 0.72;  // the scale below which names cannot be read: only Fit goes below it
const COLOUR = { policy: "policy", config: "config", storage: "config", identity: "config", workload: "workload",
  traffic: "traffic", admission: "traffic", custom: "custom" };
const STRONG = new Set(["owner", "definition", "explicit"]);
const keyOf = (one) => JSON.stringify([one.type, one.namespace, one.name]);
const kindOf = (one) => one.type.split(".")[0];
const titleOf = (one) => kindOf(one) + " " + (one.namespace ? one.namespace + "/" : "") + one.name;

// --- the graph

const groups = [{ number: 0, phase: "policy", title: "First", sub: "namespaces, definitions",
  objects: [...plan.first.namespaces, ...plan.first.definitions] }];
for (const level of plan.levels)
  groups.push({ number: level.number, phase: level.phase, title: "Level " + level.number, sub: level.phase, objects: level.objects });
const nodes = new Map();
for (const group of groups)
  for (const one of group.objects)
    nodes.set(keyOf(one), { key: keyOf(one), one, group, dependents: [], needs: [], broken: [] });
const edges = [];
function connect(source, target, because, kind) {
  if (!source || !target) return;
  const edge = { source, target, because, kind };
  edges.push(edge);
  source.needs.push(edge);
  target.dependents.push(edge);
}
for (const node of nodes.values())
  for (const need of node.one.needs)
    connect(node, nodes.get(keyOf(need)), need.because,
      need.strength === "binding" ? "looked" : STRONG.has(need.strength) ? "strong" : "plain");
for (const each of plan.broken)
  connect(nodes.get(keyOf(each.source)), nodes.get(keyOf(each.target)), each.because + ": " + each.instead, "broken");

// --- filters

function choices(select, values) {
  for (const [value, count] of [...values].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = (value || "(cluster-wide)") + " (" + count + ")";
    if (value === "") option.value = "-";
    select.append(option);
  }
}
function tally(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
  return counts;
}
const all = [...nodes.values()];
const LOOKED = "value looked up";
const changes = (node) => new Set([...node.one.rewrites.map((each) => each.why), ...(node.one.bindings.length ? [LOOKED] : [])]);
choices($("kind"), tally(all.map((node) => node.one.type)));
choices($("namespace"), tally(all.map((node) => node.one.namespace)));
choices($("rewrite"), tally(all.flatMap((node) => [...changes(node)])));

function matches(node) {
  const text = $("text").value.trim().toLowerCase(), namespace = $("namespace").value;
  return (!text || (node.one.type + " " + node.one.namespace + "/" + node.one.name).toLowerCase().includes(text)) &&
    (!$("kind").value || node.one.type === $("kind").value) &&
    (!namespace || node.one.namespace === (namespace === "-" ? "" : namespace)) &&
    (!$("rewrite").value || changes(node).has($("rewrite").value));
}
function visible() {
  const found = new Set(all.filter(matches));
  if ($("near").checked && found.size < all.length)
    for (const edge of edges) {
      if (matches(edge.source)) found.add(edge.target);
      if (matches(edge.target)) found.add(edge.source);
    }
  return found;
}

// --- layout: a column for each level, as many sub-columns as keep the whole in the shape of the window

function place(shown) {
  const columns = groups.map((group) => ({ group, list: group.objects.map((one) => nodes.get(keyOf(one))).filter((n) => shown.has(n)) }))
    .filter((column) => column.list.length);
  const shape = Math.max(0.6, $("stage").clientWidth / Math.max(1, $("stage").clientHeight));
  let rows = Math.max(6, Math.max(0, ...columns.map((column) => column.list.length)));
  while (rows > 6) {
    const wide = columns.reduce((sum, column) => sum + Math.ceil(column.list.length / (rows - 1)) * (WIDTH + SUB) + BETWEEN, 0);
    if (wide > shape * (rows - 1) * (HEIGHT + GAP)) break;
    rows -= 1;
  }
  let x = 0;
  const at = new Map();
  for (const column of columns) {
    column.list.sort((a, b) => middle(a, at) - middle(b, at) || (a.key < b.key ? -1 : 1));
    column.x = x;
    column.list.forEach((node, index) => {
      node.x = x + PAD + Math.floor(index / rows) * (WIDTH + SUB);
      node.y = HEAD + (index % rows) * (HEIGHT + GAP);
      node.column = column;
      at.set(node, index % rows);
    });
    column.width = 2 * PAD + Math.ceil(column.list.length / rows) * (WIDTH + SUB) - SUB;
    column.rows = Math.min(rows, column.list.length);
    x += column.width + BETWEEN;
  }
  return { columns, width: Math.max(1, x - BETWEEN), height: HEAD + Math.max(0, ...columns.map((c) => c.rows)) * (HEIGHT + GAP) + PAD };
}
// The mean row of what an object needs: objects are placed beside those, and lines cross less.
function middle(node, at) {
  const rows = node.needs.map((edge) => at.get(edge.target)).filter((row) => row !== undefined);
  return rows.length ? rows.reduce((sum, row) => sum + row, 0) / rows.length : 1e6;
}

// --- drawing

const svg = $("graph");
function make(name, attributes, parent, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}
const cut = (text, most) => ([...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text);
const world = make("g", {}, svg);
let size = { width: 1, height: 1, columns: [] }, chosen = null, current = null;

function draw() {
  const shown = visible();
  size = place(shown);
  world.replaceChildren();
  for (const column of size.columns) {
    make("rect", { class: "band", x: column.x, y: 0, width: column.width, height: HEAD + column.rows * (HEIGHT + GAP) + PAD - GAP, rx: 8 }, world);
    make("text", { class: "title", x: column.x + PAD, y: 22 }, world, column.group.title);
    make("text", { class: "subtitle", x: column.x + PAD, y: 38 }, world, column.group.sub + " · " + column.list.length);
  }
  const lines = make("g", {}, world);
  for (const edge of edges) {
    edge.path = null;
    if (!shown.has(edge.source) || !shown.has(edge.target)) continue;
    edge.path = make("path", { class: "edge " + edge.kind, d: curve(edge.target, edge.source) }, lines);
  }
  const single = new Set(all.map((node) => node.one.namespace).filter(Boolean)).size < 2;
  for (const column of size.columns) for (const node of column.list) box(node, single);
  $("nothing").hidden = size.columns.length > 0;
  $("count").textContent = (shown.size === all.length ? "" : shown.size + " of ") + all.length + " objects in " + plan.levels.length + " levels";
  if (chosen && !shown.has(chosen)) chosen = null;
  if (!current || !shown.has(current)) current = size.columns.length ? size.columns[0].list[0] : null;
  if (current) current.element.setAttribute("tabindex", "0");
  highlight();
  fit(LEGIBLE);
}
function curve(from, to) {
  const x1 = from.x + WIDTH, y1 = from.y + HEIGHT / 2, x2 = to.x, y2 = to.y + HEIGHT / 2;
  const bend = x2 > x1 ? Math.max(30, (x2 - x1) / 2) : 60;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
function box(node, single) {
  const { one } = node;
  const colour = COLOUR[phaseOf(node)] || "config";
  const element = make("g", { class: "node " + colour, transform: `translate(${node.x} ${node.y})`, tabindex: "-1", role: "button",
    "aria-label": titleOf(one) + ", " + node.group.title }, world);
  make("rect", { class: "box", width: WIDTH, height: HEIGHT, rx: 5 }, element);
  make("rect", { class: "bar", width: 4, height: HEIGHT, rx: 2 }, element);
  const marks = (one.rewrites.length ? "↻" : "") + (one.bindings.length ? "⌕" : "");
  make("text", { class: "kind", x: 12, y: 13 }, element, cut(kindOf(one) + (single || !one.namespace ? "" : " · " + one.namespace), marks ? 23 : 27));
  make("text", { class: "name", x: 12, y: 27 }, element, cut(one.name, 21));
  if (marks) make("text", { class: "mark", x: WIDTH - 8, y: 14, "text-anchor": "end" }, element, marks);
  make("title", {}, element, titleOf(one));
  element.addEventListener("click", () => choose(node));
  node.element = element;
}
const KIND_PHASE = { Deployment: "workload", StatefulSet: "workload", DaemonSet: "workload", ReplicaSet: "workload", Pod: "workload",
  Job: "workload", CronJob: "workload", ReplicationController: "workload", Ingress: "traffic", HorizontalPodAutoscaler: "traffic",
  PodDisruptionBudget: "traffic", Namespace: "policy", CustomResourceDefinition: "policy", ResourceQuota: "policy",
  LimitRange: "policy", NetworkPolicy: "policy", StorageClass: "policy", PriorityClass: "policy", IngressClass: "policy",
  RuntimeClass: "policy", APIService: "admission", ValidatingWebhookConfiguration: "admission",
  MutatingWebhookConfiguration: "admission" };
function phaseOf(node) {
  const [kind, ...group] = node.one.type.split(".");
  const native = group.length < 2 || node.one.type.endsWith(".k8s.io");
  return native ? KIND_PHASE[kind] || "config" : "custom";
}

// --- the panel

function add(parent, name, text, type) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (type) element.className = type;
  parent.append(element);
  return element;
}
function section(title, items, fill) {
  if (!items.length) return;
  add($("panel"), "h3", title + " (" + items.length + ")");
  const list = add($("panel"), "ul");
  for (const item of items) fill(add(list, "li"), item);
}
function link(parent, node) {
  add(parent, "button", titleOf(node.one), "link").addEventListener("click", () => choose(node, true));
}
function linked(parent, [node, some]) {
  link(parent, node);
  for (const edge of some.filter((each) => some.length === 1 || !each.because.startsWith(COPY))) {
    add(parent, "br");
    add(parent, "small", (edge.kind === "broken" ? "not waited for, to break a cycle: " : "") + edge.because);
  }
}
function grouped(some, end) {
  const found = new Map();
  for (const edge of some) found.set(edge[end], [...(found.get(edge[end]) || []), edge]);
  return [...found];
}
// kubectl's copy of the object is changed as the object is: its changes are not shown again.
const COPY = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";
function show() {
  const panel = $("panel");
  panel.replaceChildren();
  if (!chosen) return overview(panel);
  const { one } = chosen;
  add(panel, "h2", one.name);
  add(panel, "p", one.type + (one.namespace ? " in " + one.namespace : ", cluster-wide"), "dim");
  const was = (one.source_namespace ? one.source_namespace + "/" : "") + one.source_name;
  if (was !== (one.namespace ? one.namespace + "/" : "") + one.name) add(panel, "p", "in the backup: " + was, "dim");
  add(panel, "p", chosen.group.title + (chosen.group.number ? " (" + chosen.group.phase + ")" : "") + "; restored because: " + one.why);
  add(panel, "p", one.ready ? "Ready when " + one.ready + "." : "Not waited for: when it was backed up it was not ready (" + one.not_ready + ").");
  section("Waits for", grouped(chosen.needs, "target"), linked);
  section("Is waited for by", grouped(chosen.dependents, "source"), linked);
  section("Owners that it cannot have", one.unowned, (item, each) => add(item, "p", each));
  section("Looked up on the target", one.bindings.filter((each) => !each.path.startsWith(COPY)), (item, each) => {
    add(item, "code", each.path);
    add(item, "p", each.chain);
    add(item, "small", each.kind + (each.late ? ", patched in at the end" : "") + ", was " + each.old + "; if there is none: " + each.policy);
  });
  section("Rewritten", one.rewrites, (item, each) => {
    add(item, "code", each.path);
    const values = add(item, "p");
    add(values, "del", each.old);
    values.append(" → ");
    add(values, "ins", each.new || "(dropped)");
    add(item, "small", each.why + (each.rule ? " (class " + each.rule + ")" : ""));
  });
}
function folded(panel, title, items, fill) {
  if (!items.length) return;
  const details = add(panel, "details");
  add(details, "summary", title + " (" + items.length + ")");
  const list = add(details, "ul");
  for (const item of items) fill(add(list, "li"), item);
}
function overview(panel) {
  add(panel, "h2", "The restore");
  for (const each of plan.impossible) add(panel, "p", "Cannot be carried out: " + each, "danger");
  if (plan.selection) add(panel, "p", "Selected: " + plan.selection + ". Choose an object to see why it is in.");
  for (const each of plan.warnings) add(panel, "p", each.what + ": " + each.why);
  add(panel, "p", "Levels are created from left to right, each when all before it are ready. Choose an object to see what it waits for, and why.", "dim");
  const total = plan.summary;
  const rewrites = Object.values(total.rewrites).reduce((sum, count) => sum + count, 0);
  section("Counts", [["objects", total.objects], ["levels", total.levels], ["needs", total.needs], ["values looked up", total.bindings],
    ["rewrites", rewrites], ["needs given up for cycles", total.broken], ["left out", total.left_out]], (item, [what, count]) => {
    item.textContent = count + " " + what;
  });
  if (plan.broken.length + plan.target_must_have.length + plan.left_out.length + plan.missing.length + plan.losses.length) add(panel, "h3", "More");
  folded(panel, "Cycles, and where they are broken", plan.broken, (item, each) => {
    item.textContent = titleOf(each.source) + " does not wait for " + titleOf(each.target) + " (" + each.because + "): " + each.instead;
  });
  folded(panel, "Needed, but excluded", plan.missing, (item, each) => {
    item.textContent = titleOf(each);
    add(item, "br");
    add(item, "small", each.why + "; needed by " + each.users.map(titleOf).join(", ") + " (" + each.because + ")");
  });
  folded(panel, "The target must have", plan.target_must_have, (item, each) => {
    item.textContent = titleOf(each);
    add(item, "br");
    add(item, "small", "named by " + each.users.map(titleOf).join(", "));
  });
  const lost = (title, losses) => folded(panel, title, losses, (item, each) => {
    item.textContent = each.object + (each.path ? " " + each.path : "");
    add(item, "br");
    add(item, "small", each.why);
  });
  lost("Not as it was", plan.losses.filter((each) => !plan.loss_sections[each.code]));
  for (const [code, title] of Object.entries(plan.loss_sections)) lost(title, plan.losses.filter((each) => each.code === code));
  folded(panel, "Left out", plan.left_out, (item, each) => {
    item.textContent = titleOf(each);
    add(item, "br");
    add(item, "small", each.why);
  });
}

// --- choosing, moving, zooming

function highlight() {
  world.classList.toggle("picked", Boolean(chosen));
  const near = new Set();
  for (const edge of edges) {
    const on = Boolean(chosen) && (edge.source === chosen || edge.target === chosen);
    if (on) near.add(edge.source).add(edge.target);
    if (edge.path) edge.path.classList.toggle("near", on);
  }
  for (const node of all)
    if (node.element) {
      node.element.classList.toggle("chosen", node === chosen);
      node.element.classList.toggle("near", near.has(node) && node !== chosen);
    }
  show();
}
function choose(node, reveal) {
  if (reveal && node && !visible().has(node)) { $("filters").reset(); draw(); }
  chosen = node;
  if (node) focusOn(node, reveal);
  highlight();
}
function focusOn(node, reveal) {
  if (current && current.element) current.element.setAttribute("tabindex", "-1");
  current = node;
  node.element.setAttribute("tabindex", "0");
  node.element.focus({ preventScroll: true });
  const x = node.x * view.k + view.x, y = node.y * view.k + view.y;
  const stage = $("stage");
  if (reveal || x < 0 || y < 0 || x + WIDTH * view.k > stage.clientWidth || y + HEIGHT * view.k > stage.clientHeight) {
    view.k = Math.max(view.k, 0.6);
    view.x = stage.clientWidth / 2 - (node.x + WIDTH / 2) * view.k;
    view.y = stage.clientHeight / 2 - (node.y + HEIGHT / 2) * view.k;
    look();
  }
}
const view = { x: 0, y: 0, k: 1 };
function look() { world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`); }
function fit(least = 0) {
  const stage = $("stage"), room = 24;
  const whole = Math.min(1.2, (stage.clientWidth - 2 * room) / size.width, (stage.clientHeight - 2 * room) / size.height);
  view.k = Math.max(whole, least);
  view.x = Math.max(room, (stage.clientWidth - size.width * view.k) / 2);
  view.y = room;
  look();
}
function zoom(factor, x = $("stage").clientWidth / 2, y = $("stage").clientHeight / 2) {
  const k = Math.min(4, Math.max(0.05, view.k * factor));
  view.x = x - (x - view.x) * (k / view.k);
  view.y = y - (y - view.y) * (k / view.k);
  view.k = k;
  look();
}
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const place = svg.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - place.left, event.clientY - place.top);
}, { passive: false });
let drag = null;
svg.addEventListener("pointerdown", (event) => {
  drag = { x: event.clientX - view.x, y: event.clientY - view.y, from: [event.clientX, event.clientY], moved: false };
});
window.addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (!drag.moved && Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) < 4) return;
  drag.moved = true;
  svg.classList.add("dragging");
  view.x = event.clientX - drag.x;
  view.y = event.clientY - drag.y;
  look();
});
window.addEventListener("pointerup", () => { drag = null; svg.classList.remove("dragging"); });
svg.addEventListener("dblclick", (event) => { if (event.target === svg) fit(); });
function step(key) {
  const columns = size.columns, column = columns.indexOf(current.column), row = current.column.list.indexOf(current);
  if (key === "ArrowDown" || key === "ArrowUp") return current.column.list[row + (key === "ArrowDown" ? 1 : -1)];
  const next = columns[column + (key === "ArrowRight" ? 1 : -1)];
  return next && next.list.reduce((best, node) => (Math.abs(node.y - current.y) < Math.abs(best.y - current.y) ? node : best));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "Escape") { if (typing) event.target.blur(); choose(null); return; }
  if (typing) return;
  const onNode = current && event.target === current.element;
  if (event.key === "/") { event.preventDefault(); $("text").focus(); }
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") fit();
  else if (onNode && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); choose(current); }
  else if (onNode && event.key.startsWith("Arrow")) {
    event.preventDefault();
    const next = step(event.key);
    if (next) focusOn(next, false);
  }
});
$("in").addEventListener("click", () => zoom(1.25));
$("out").addEventListener("click", () => zoom(0.8));
$("fit").addEventListener("click", () => fit());
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("filters").addEventListener("input", draw);
$("filters").addEventListener("reset", () => setTimeout(draw, 0));
window.addEventListener("resize", draw);
draw();
