// The address: after its # stand filters, order and the open scene, so that a link, a reload and Back show the same.

let told = ""; // the address without what is not understood

const fields = () => [...form.elements].filter((field) => field.name && !field.closest("[hidden]"));
const escaped = (text) => encodeURIComponent(text).replaceAll("%20", "+").replace(/%(?:2C|2F|3A)/g, decodeURIComponent);

/** What stands after the # for the filters as they are and sample number `scene`; null: none is open. */
function addressOf(scene) {
  const plain = (field) => (field.name === "order" ? "key" : "");
  const pairs = fields().filter((field) => field.value.trim() !== plain(field)).map((field) => [field.name, field.value.trim()]);
  for (const chart of CHARTS) if (chart.chosen.size) pairs.push([chart.name, chosenText(chart, "-", ",")]);
  if (scene !== null) pairs.push(["scene", columns.key[scene]]);
  return pairs.map(([name, value]) => `${name}=${escaped(value)}`).join("&");
}

/** The values by name; a part that cannot be read is left out, and a key alone is a scene. */
function readAddress() {
  const asked = new Map();
  for (const part of location.hash.slice(1).split("&")) {
    const [, name, text] = /^(\w+)=(.*)$/s.exec(part) ?? [null, "scene", part];
    try {
      asked.set(name, decodeURIComponent(text.replaceAll("+", " ")));
    } catch {} // a % without its number
  }
  return asked;
}

/** Writes filters and scene into the address, as a new step of the history or in place of the last one. */
function tell(step) {
  const text = addressOf(view?.number ?? null);
  if (text === told) return;
  const url = location.href.split("#")[0] + (text && `#${text}`);
  try {
    if (step) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    told = text;
  } catch {} // a browser may refuse many in a short time: the next one tells all
}

/** Sets the filters as the address says; returns the number of its scene, or null. */
function obey() {
  const asked = readAddress();
  for (const field of fields()) {
    const value = asked.get(field.name) ?? "";
    const known = !field.options || [...field.options].some((option) => option.value === value);
    if (known) field.value = value;
    else field.selectedIndex = 0;
  }
  for (const chart of CHARTS) chart.chosen = binsOf(chart, asked.get(chart.name) ?? "");
  const at = columns.key.indexOf(asked.get("scene"));
  const scene = at < 0 ? null : at;
  told = addressOf(scene);
  return scene;
}
