// The viewer: two pictures of one item under a divider, layers on a checkerboard.

const TRUTHS = { input: "Input", mask: "Mask", clean: "Truth: background", alpha: "Truth: alpha", foreground: "Truth: foreground" };
const WATCHED = { "left-picture": "left", "right-picture": "right" };

/** Address of a picture of an item, or null where there is none or its file could not be put in. */
function pictureOf(protocol, item, kind) {
  const found = protocol.pictures[item]?.find(([k]) => protocol.kinds[k] === kind);
  const file = found ? report.files[found[1]] : null;
  if (!file || report.embedded) return file;
  return file.split("/").map(encodeURIComponent).join("/"); // a path stays a path, whatever its name looks like
}

const kindsOf = (protocol, item) => (protocol.pictures[item] ?? []).map(([k]) => protocol.kinds[k]);

/** "METHOD/background" as [METHOD, "background"]; a method's name may hold a slash. */
function parts(kind) {
  const cut = kind.lastIndexOf("/");
  return cut < 0 ? [null, kind] : [kind.slice(0, cut), kind.slice(cut + 1)];
}

function label(kind) {
  const [method, layer] = parts(kind);
  return method === null ? TRUTHS[kind] ?? kind : `${method}: ${layer}`;
}

/** Input beside the method's answer: its foreground where the task is about that, else its background. */
function firstPair(protocol, item, method) {
  const kinds = kindsOf(protocol, item);
  const layers = /extract|recover|matt/.test(protocol.task) ? ["foreground", "background"] : ["background", "foreground"];
  const made = layers.map((layer) => `${protocol.methods[method]?.name}/${layer}`);
  const right = [...made, "clean", "foreground", "alpha"].find((kind) => kinds.includes(kind));
  return ["input", right ?? "input"];
}

/** After another method was chosen: the same layers of the new one. */
function follow(protocol, state, before) {
  const name = (i) => protocol.methods[i]?.name;
  const move = (kind) => (parts(kind)[0] === name(before) ? `${name(state.method)}/${parts(kind)[1]}` : kind);
  state.pair = state.pair.map(move);
}

/** Draws the viewer for the chosen item. */
function showItem(protocol, state) {
  const kinds = kindsOf(protocol, state.item);
  byId("viewer").hidden = state.item === null || kinds.length === 0;
  if (byId("viewer").hidden) return;
  byId("shown").textContent = protocol.items[state.item];
  const place = state.order.indexOf(state.item);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= state.order.length - 1;
  for (const side of ["left", "right"]) byId(side).replaceChildren(...choices(protocol, kinds, state));
  showStrip(protocol, state, kinds);
  showPair(protocol, state);
}

function choices(protocol, kinds, state) {
  const groups = [["Data", null], ...protocol.methods.map((m) => [m.name, m.name])];
  const chosen = protocol.methods[state.method]?.name;
  groups.sort((a, b) => (b[1] === null) - (a[1] === null) || (b[1] === chosen) - (a[1] === chosen));
  const members = new Map(groups.map(([, method]) => [method, []]));
  for (const kind of kinds) members.get(parts(kind)[0])?.push(make("option", { value: kind }, label(kind)));
  return groups.filter(([, m]) => members.get(m).length).map(([title, m]) => make("optgroup", { label: title }, ...members.get(m)));
}

function showStrip(protocol, state, kinds) {
  const chosen = protocol.methods[state.method]?.name;
  const near = kinds.filter((kind) => [null, chosen].includes(parts(kind)[0]));
  byId("strip").replaceChildren(...near.map((kind) => {
    const image = make("img", { className: "checks", alt: "", decoding: "async", src: pictureOf(protocol, state.item, kind) ?? "data:," });
    const button = make("button", { type: "button", value: kind }, image, make("span", null, label(kind)));
    button.addEventListener("click", () => {
      if (state.pair[1] !== kind) state.pair = [state.pair[1], kind];
      showPair(protocol, state);
    });
    return button;
  }));
}

/** Puts the pair on the stage; a picture that this item does not have is said to be missing. */
function showPair(protocol, state) {
  byId("trouble").hidden = true;
  ["left", "right"].forEach((side, i) => {
    const kind = state.pair[i];
    const image = byId(`${side}-picture`);
    image.alt = `${label(kind)} of ${protocol.items[state.item]}`;
    image.src = pictureOf(protocol, state.item, kind) ?? "data:,";
    byId(side).value = kind;
    byId(`${side}-score`).textContent = scoreOf(protocol, state, kind);
  });
  for (const button of byId("strip").children) button.setAttribute("aria-pressed", String(state.pair.includes(button.value)));
  moveDivider(state.cut, state, protocol);
}

function scoreOf(protocol, state, kind) {
  const metric = protocol.metrics[state.metric];
  const method = protocol.methods.findIndex((m) => m.name === parts(kind)[0]);
  if (method < 0 || !metric) return "";
  const value = protocol.values[state.metric][method][state.item];
  return `${metric.title} ${number(value, metric.digits)}${value === null ? "" : ` ${metric.unit}`}`;
}

function moveDivider(percent, state, protocol) {
  state.cut = Math.min(Math.max(percent, 0), 100);
  byId("stage").style.setProperty("--cut", `${state.cut}%`);
  const divider = byId("divider");
  divider.value = String(state.cut);
  divider.setAttribute("aria-valuetext", `left ${Math.round(state.cut)} percent: ${label(state.pair[0])}; right: ${label(state.pair[1])}`);
}

/** Takes the stage's shape from the picture; small pictures show their pixels. */
function fitStage() {
  const image = byId("left-picture").naturalWidth ? byId("left-picture") : byId("right-picture");
  if (!image.naturalWidth) return;
  byId("viewer").style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
  byId("stage").classList.toggle("pixels", 2 * image.naturalWidth <= byId("stage").clientWidth * devicePixelRatio);
}

/** Listens to the viewer's controls, once; `now()` gives [protocol, state]. */
function wireViewer(now, pick) {
  const stage = byId("stage");
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    const [protocol, state] = now();
    moveDivider((100 * (event.clientX - box.left)) / box.width, state, protocol);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", (event) => { if (stage.hasPointerCapture(event.pointerId)) drag(event); });
  byId("divider").addEventListener("input", (event) => moveDivider(Number(event.target.value), now()[1], now()[0]));
  for (const [id, side] of Object.entries(WATCHED)) {
    byId(id).addEventListener("load", fitStage);
    byId(id).addEventListener("error", () => tellTrouble(...now(), side));
  }
  ["left", "right"].forEach((side, i) => byId(side).addEventListener("change", (event) => {
    const [protocol, state] = now();
    state.pair[i] = event.target.value;
    showPair(protocol, state);
  }));
  byId("swap").addEventListener("click", () => {
    const [protocol, state] = now();
    state.pair.reverse();
    showPair(protocol, state);
  });
  [["previous", -1], ["next", 1]].forEach(([id, step]) => byId(id).addEventListener("click", () => {
    const { order, item } = now()[1];
    pick(order[order.indexOf(item) + step]);
  }));
}

function tellTrouble(protocol, state, side) {
  const kind = state.pair[side === "left" ? 0 : 1];
  byId("trouble").textContent = `${label(kind)} of ${protocol.items[state.item]}: the picture is missing or cannot be shown`;
  byId("trouble").hidden = false;
}
