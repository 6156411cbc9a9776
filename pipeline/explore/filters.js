// Which samples are shown, and in which order.

const FACETS = ["split", "origin", "mask"];
const ORDERS = {
  key: ["as built", null],
  hidden: ["least visible first", (i) => columns.visible[i]],
  large: ["largest first", (i) => -columns.area[i]],
  small: ["smallest first", (i) => columns.area[i]],
  rough: ["roughest mask first", (i) => columns.iou[i]],
};
let haystacks = null;

/** What a search looks through, in lower case; made at the first search. */
function haystack(i) {
  const words = (a) => [a.id, a.caption, a.attribution, a.license, a.source].join("\n");
  haystacks ??= columns.key.map((key, k) => [key, columns.caption[k], ...columns.assets[k].map((place) => words(tables.assets[place]))].join("\n").toLowerCase());
  return haystacks[i];
}

/** Numbers of the samples that the form's values ask for. */
function chosenBy(form) {
  const value = (name) => form.elements[name].value;
  const words = value("text").toLowerCase().split(/\s+/).filter(Boolean);
  const [license, occluded, full] = ["license", "occluded", "full"].map(value);
  const found = columns.key.map((_, i) => i).filter((i) =>
    FACETS.every((name) => !value(name) || columns[name][i] === value(name)) &&
    (!license || columns.licenses[i].includes(license)) &&
    (!occluded || String(columns.occluded[i]) === occluded) &&
    (!full || String(columns.full[i]) === full) &&
    words.every((word) => haystack(i).includes(word)));
  const by = ORDERS[value("order")][1];
  return by ? found.sort((a, b) => by(a) - by(b) || a - b) : found;
}

/** Fills the form's lists from what the build holds, with counts; a list of one choice is left out. */
function fillFilters(form) {
  const counted = (values) => {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return counts;
  };
  const offer = (name, counts, label = (v) => v) => {
    const options = [...counts].map(([value, n]) => make("option", { value: String(value) }, `${label(value)} (${thousands(n)})`));
    form.elements[name].replaceChildren(make("option", { value: "" }, "any"), ...options);
    form.elements[name].closest("label").hidden = counts.size < 2;
  };
  for (const name of FACETS) offer(name, counted(columns[name]));
  offer("license", new Map([...counted(columns.licenses.flat())].sort()));
  offer("occluded", counted(columns.occluded), (v) => (v ? "yes" : "no"));
  offer("full", counted(columns.full), (v) => (v ? "whole, exact" : "shrunk"));
  form.elements.order.replaceChildren(...Object.entries(ORDERS).map(([value, [label]]) => make("option", { value }, label)));
}
