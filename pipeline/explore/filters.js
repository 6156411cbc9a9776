// Which samples are shown, and in which order.

const form = byId("filters");
const CHOICES = { // list of the form: what it offers of a sample
  split: (i) => [columns.split[i]],
  origin: (i) => [columns.origin[i]],
  occluded: (i) => [columns.occluded[i] ? "yes" : "no"],
  mask: (i) => [columns.mask[i]],
  license: (i) => columns.licenses[i],
  layers: (i) => [columns.full[i] ? "whole" : "shrunk"],
};
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

/** `found`, the samples that all filters leave, in order; `left`, for each histogram those that all but its own bars leave. */
function sift() {
  const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const asked = Object.entries(CHOICES).map(([name, has]) => [form.elements[name].value, has]).filter(([value]) => value);
  const charts = CHARTS.filter((chart) => chart.chosen.size);
  const [found, left] = [[], CHARTS.map(() => [])];
  for (const i of columns.key.keys()) {
    if (!asked.every(([value, has]) => has(i).includes(value)) || !words.every((word) => haystack(i).includes(word))) continue;
    const against = charts.filter((chart) => !chart.chosen.has(chart.bin[i]));
    if (!against.length) found.push(i);
    CHARTS.forEach((chart, k) => {
      if (against.every((other) => other === chart)) left[k].push(i);
    });
  }
  const by = ORDERS[form.elements.order.value][1];
  return { found: by ? found.sort((a, b) => by(a) - by(b) || a - b) : found, left };
}

/** How many filters act: the search, lists, and histograms of which bars are chosen. */
function acting() {
  const asked = ["search", ...Object.keys(CHOICES)].filter((name) => form.elements[name].value.trim());
  return asked.length + CHARTS.filter((chart) => chart.chosen.size).length;
}

/** Takes all filters away; the order stays. */
function clearFilters() {
  for (const name of ["search", ...Object.keys(CHOICES)]) form.elements[name].value = "";
  for (const chart of CHARTS) chart.chosen.clear();
}

/** Fills the form's lists from what the build holds, with counts; a list of one choice is left out. */
function fillFilters() {
  for (const [name, has] of Object.entries(CHOICES)) {
    const counts = new Map();
    for (const value of [...columns.key.keys()].flatMap(has)) counts.set(value, (counts.get(value) ?? 0) + 1);
    const options = [...counts].map(([value, n]) => make("option", { value }, `${value} (${thousands(n)})`));
    if (name === "license") options.sort((a, b) => (a.value < b.value ? -1 : 1));
    form.elements[name].replaceChildren(make("option", { value: "" }, "any"), ...options);
    form.elements[name].closest("label").hidden = counts.size < 2;
  }
  form.elements.order.replaceChildren(...Object.entries(ORDERS).map(([value, [label]]) => make("option", { value }, label)));
}
