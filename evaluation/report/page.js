// The page: tabs of protocols, and what is chosen in each.

const report = JSON.parse(byId("content").textContent);
const states = report.protocols.map(firstState);
let active = 0;

const now = () => [report.protocols[active], states[active]];

function firstState(protocol) {
  const others = protocol.methods.map((_, i) => i).filter((i) => i !== protocol.reference);
  const state = { view: "scores", method: others[0] ?? 0, metric: 0, methodSort: { key: null, descending: false }, filter: "" };
  Object.assign(state, { rowSort: worstFirst(protocol.metrics[0]), order: [], item: null, pair: null, cut: 50, reveal: () => {} });
  return state;
}

/** Shows the picture with this number, and moves the list's mark to it. */
function pick(item) {
  const [protocol, state] = now();
  state.item = item;
  state.reveal(state.order.indexOf(item));
  bringIntoList(markPicture(item));
  showItem(protocol, state);
}

function redrawPictures() {
  const [protocol, state] = now();
  showPictures(protocol, state, pick);
  if (state.item === null && protocol.items.length) state.item = state.order[0] ?? null;
  state.pair ??= firstPair(protocol, state.item, state.method);
  markPicture(state.item);
  showItem(protocol, state);
}

function chooseMethod(method) {
  const [protocol, state] = now();
  const before = state.method;
  state.method = method;
  byId("method").value = String(method);
  follow(protocol, state, before);
  markMethod(method);
  redrawPictures();
}

function options(select, names, chosen) {
  select.replaceChildren(...names.map((name, i) => make("option", { value: String(i) }, name)));
  select.value = String(chosen);
}

function describe(list, pairs) {
  list.replaceChildren(...pairs.map(([name, ...value]) => make("div", null, make("dt", null, name), make("dd", null, ...value))));
}

function showAbout(protocol) {
  byId("name").textContent = protocol.id;
  byId("description").textContent = protocol.description;
  const left = protocol.unread ? `, ${protocol.unread} of the data left out` : "";
  const facts = [["task", protocol.task], ["data", protocol.data], ...protocol.settings];
  describe(byId("settings"), [...facts, ["pictures", `${protocol.items.length} scored${left}`], ["reference", protocol.referenceName]]);
  describe(byId("keys").querySelector("dl"), protocol.methods.map((m) => [m.name, make("code", null, m.key)]));
  const way = (m) => (m.higher_is_better ? "higher is better" : "lower is better");
  const metric = (m) => [m.name, make("b", null, m.title), ` (${m.unit ? `${m.unit}, ` : ""}${way(m)}). ${m.definition}`];
  describe(byId("definitions").querySelector("dl"), protocol.metrics.map(metric));
}

function showLeft(protocol) {
  byId("left-out").hidden = protocol.left.length === 0;
  const total = protocol.left.reduce((sum, group) => sum + group.ids.length, 0);
  byId("left-out").firstElementChild.textContent = `Left out: ${total}, with reasons`;
  const cell = (tag, text) => make(tag, tag === "th" ? { scope: "col" } : null, text);
  byId("left-table").tHead.replaceChildren(make("tr", null, ...["Left out of", "Pictures", "Reason", "Which"].map((t) => cell("th", t))));
  const row = (g) => make("tr", null, ...[g.method || "all", String(g.ids.length), g.reason, g.ids.join(", ")].map((t) => cell("td", t)));
  byId("left-table").tBodies[0].replaceChildren(...protocol.left.map(row));
}

function showLegend(protocol) {
  byId("legend").textContent =
    `Bold: the best mean of a column among the methods scored on the most pictures; n: how many, where fewer. † better, ‡ worse than ` +
    `${protocol.referenceName}: the 95 % interval of the paired difference excludes 0. Bars: interval and mean on one scale per column. ` +
    `Cite numbers as ${protocol.id}.`;
}

/** Shows protocol number `i`. */
function show(i) {
  active = i;
  const [protocol, state] = now();
  [...byId("tabs").children].forEach((tab, k) => {
    tab.setAttribute("aria-selected", String(k === i));
    tab.tabIndex = k === i ? 0 : -1;
  });
  byId("panel").setAttribute("aria-labelledby", `tab-${i}`);
  showAbout(protocol);
  showLeft(protocol);
  showLegend(protocol);
  byId("view").querySelector(`[value=${state.view}]`).checked = true;
  byId("view").hidden = !protocol.methods.some((m) => m.differences.some((d) => d !== null));
  byId("versus").textContent = `Differences from ${protocol.referenceName}`;
  showMethods(protocol, state, chooseMethod);
  options(byId("method"), protocol.methods.map((m) => m.name), state.method);
  options(byId("metric"), protocol.metrics.map((m) => m.title), state.metric);
  byId("filter").value = state.filter;
  byId("pictures").hidden = protocol.items.length === 0;
  redrawPictures();
}

function choose(i) {
  show(i);
  byId("tabs").children[i].scrollIntoView({ block: "nearest", inline: "nearest" });
  history.replaceState(null, "", `#${encodeURIComponent(report.protocols[i].id)}`);
}

function makeTabs() {
  byId("tabs").replaceChildren(...report.protocols.map((protocol, i) => {
    const tab = make("button", { type: "button", role: "tab", id: `tab-${i}`, "aria-controls": "panel" }, protocol.id);
    tab.addEventListener("click", () => choose(i));
    return tab;
  }));
  byId("tabs").addEventListener("keydown", (event) => {
    const last = report.protocols.length - 1;
    const next = { ArrowRight: active === last ? 0 : active + 1, ArrowLeft: active === 0 ? last : active - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
    byId("tabs").children[next].focus();
  });
}

function wire() {
  byId("view").addEventListener("change", (event) => {
    now()[1].view = event.target.value;
    showMethods(...now(), chooseMethod);
  });
  byId("method").addEventListener("change", (event) => chooseMethod(Number(event.target.value)));
  byId("metric").addEventListener("change", (event) => {
    const [protocol, state] = now();
    state.metric = Number(event.target.value);
    Object.assign(state.rowSort, worstFirst(protocol.metrics[state.metric]));
    redrawPictures();
  });
  byId("filter").addEventListener("input", (event) => {
    now()[1].filter = event.target.value;
    redrawPictures();
  });
  byId("list").addEventListener("keydown", (event) => listKey(event, now()[1], pick));
  addEventListener("resize", fitStage);
  wireViewer(now, pick);
}

function start() {
  byId("created").textContent = `made ${report.created}`;
  byId("versions").textContent = report.versions.map(([name, version]) => `${name} ${version}`).join(" · ");
  byId("lost").textContent = report.lost.length ? `Pictures that are not in this page (${report.lost.length}): ${report.lost.join("; ")}` : "";
  makeTabs();
  wire();
  byId("panel").hidden = report.protocols.length === 0;
  const asked = report.protocols.findIndex((p) => location.hash === `#${encodeURIComponent(p.id)}`);
  if (report.protocols.length) show(Math.max(asked, 0));
}

start();
