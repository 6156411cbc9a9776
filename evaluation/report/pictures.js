// The list of pictures: one method's scores by one metric, the worst first; rows are made as they are scrolled to.

const CHUNK = 60;
let observer = null;
const narrow = matchMedia("(max-width: 900px)"); // the viewer is above the list then

/** What the list shows of a protocol in its state: values, differences from the reference, the order of the rows. */
function listed(protocol, state) {
  const values = protocol.values[state.metric]?.[state.method] ?? protocol.items.map(() => null);
  const other = protocol.reference < 0 || protocol.reference === state.method ? null : protocol.values[state.metric]?.[protocol.reference];
  const differences = values.map((v, i) => (v === null || !other || other[i] === null ? null : v - other[i]));
  const keys = { id: protocol.items, value: values, difference: differences }[state.rowSort.key];
  const wanted = state.filter.toLowerCase();
  const order = sorted(keys, state.rowSort.descending).filter((i) => protocol.items[i].toLowerCase().includes(wanted));
  const known = values.filter((v) => v !== null);
  return { values, differences, order, from: known.reduce((a, b) => Math.min(a, b), Infinity), to: known.reduce((a, b) => Math.max(a, b), -Infinity) };
}

/** Draws head and rows. `pick` is called with the number of a picture; returns the rows' order. */
function showPictures(protocol, state, pick) {
  const metric = protocol.metrics[state.metric];
  sortableHead(byId("rows").tHead, pictureColumns(protocol, metric), state.rowSort, () => showRows(protocol, state, pick));
  const method = protocol.methods[state.method];
  byId("rows").caption.textContent = metric && method ? `${protocol.id}: ${metric.name} of ${method.name}` : protocol.id;
  showRows(protocol, state, pick);
}

/** What stands first after a press: the worst. */
const worstFirst = (metric) => ({ key: "value", descending: metric ? !metric.higher_is_better : false });

function pictureColumns(protocol, metric) {
  const { descending } = worstFirst(metric);
  const columns = [{ key: "id", label: ["Picture"], descending: false, className: "name" }];
  if (!metric) return columns;
  columns.push({ key: "value", label: metricLabel(metric), title: metric.definition, descending });
  const versus = make("span", { className: "unit" }, `minus ${protocol.referenceName}`);
  columns.push({ key: "difference", label: ["Difference", versus], descending });
  return columns;
}

/** Draws the rows anew: the first ones now, the others when the end of the list comes into sight. */
function showRows(protocol, state, pick) {
  const list = listed(protocol, state);
  const body = byId("rows").tBodies[0];
  state.order = list.order;
  body.replaceChildren();
  byId("list").scrollTop = 0;
  byId("count").textContent = `${list.order.length} of ${protocol.items.length}`;
  const add = (upTo) => {
    const start = body.rows.length;
    body.append(...list.order.slice(start, upTo).map((i) => pictureRow(protocol, state, list, i, pick)));
    if (start === 0) markPicture(state.item);
  };
  state.reveal = (place) => { if (place >= body.rows.length) add(place + CHUNK); };
  observer?.disconnect();
  observer = new IntersectionObserver((seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    add(body.rows.length + CHUNK);
    observer.unobserve(byId("more")); // observed again, it reports again where it is still in sight
    if (body.rows.length < list.order.length) observer.observe(byId("more"));
  }, { root: byId("list"), rootMargin: "400px" });
  add(CHUNK);
  observer.observe(byId("more"));
}

function pictureRow(protocol, state, list, i, pick) {
  const metric = protocol.metrics[state.metric];
  const button = make("button", { type: "button", className: "plain", tabIndex: -1 });
  const thumb = pictureOf(protocol, i, "input");
  if (thumb) button.append(make("img", { loading: "lazy", decoding: "async", width: 30, height: 30, alt: "", src: thumb }));
  button.append(make("span", null, protocol.items[i]));
  const row = make("tr", { "data-item": i }, make("th", { scope: "row", className: "name" }, button));
  row.addEventListener("click", () => {
    pick(i);
    if (narrow.matches) byId("viewer").scrollIntoView({ block: "start" });
  });
  if (!metric) return row;
  const [value, difference] = [list.values[i], list.differences[i]];
  const cell = make("td", { className: "num" }, number(value, metric.digits));
  if (value !== null) cell.prepend(bar(value, null, null, list.from, list.to));
  const worse = difference !== null && difference !== 0 && difference < 0 === metric.higher_is_better;
  const versus = make("td", { className: `num ${worse ? "worse" : ""}` }, number(difference, metric.digits, true));
  row.append(cell, versus);
  return row;
}

/** Marks the row of the picture in the viewer; only it, or else the first, is a stop of the Tab key. */
function markPicture(item) {
  const rows = [...byId("rows").tBodies[0].rows];
  const current = rows.find((row) => Number(row.dataset.item) === item);
  for (const row of rows) {
    row.querySelector("button").tabIndex = row === (current ?? rows[0]) ? 0 : -1;
    if (row === current) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
  return current;
}

/** Scrolls the list, and nothing else, so that a row is seen. */
function bringIntoList(row) {
  if (!row) return;
  const [list, head] = [byId("list"), byId("rows").tHead.getBoundingClientRect()];
  const [box, frame] = [row.getBoundingClientRect(), list.getBoundingClientRect()];
  const top = frame.top + list.clientTop + head.height; // the head stays in sight and covers what is above
  if (box.top < top) list.scrollTop -= top - box.top;
  else if (box.bottom > frame.bottom) list.scrollTop += box.bottom - frame.bottom;
}

/** Arrow keys, Home and End move through the list. */
function listKey(event, state, pick) {
  const focused = event.target.closest("tr[data-item]");
  const last = state.order.length - 1;
  const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
  if (!focused || step === undefined) return;
  event.preventDefault();
  const place = Math.min(Math.max(state.order.indexOf(Number(focused.dataset.item)) + step, 0), last);
  pick(state.order[place]);
  markPicture(state.order[place])?.querySelector("button").focus({ preventScroll: true });
}
