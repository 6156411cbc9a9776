// Bins: in which bar of each histogram a sample counts, and which bars are chosen.

const BINS = 20;
const widest = columns.area.reduce((a, b) => Math.max(a, b), 0);
const CHARTS = [
  ["visible", "visible fraction", 1],
  ["area", "area, share of the canvas", Math.max(0.05, Math.ceil(20 * widest) / 20)],
  ["iou", "mask IoU", 1],
].map(([name, title, most]) => {
  const bin = columns[name].map((value) => Math.min(Math.floor((BINS * value) / most), BINS - 1)); // the last holds `most` too
  const digits = Number.isInteger(+((100 * most) / BINS).toFixed(6)) ? 2 : 4;
  return { name, title, most, bin, digits, all: countBins(bin, bin.keys()), chosen: new Set() };
});

/** How many of `samples` fall in each bin. */
function countBins(bin, samples) {
  const counts = new Array(BINS).fill(0);
  for (const i of samples) counts[bin[i]]++;
  return counts;
}

/** The range of the bins from `first` up to, but without, `end`. */
function rangeText({ most, digits }, first, end, dash = "–") {
  return [first, end].map((k) => ((most * k) / BINS).toFixed(digits)).join(dash);
}

/** The ranges of the chosen bins, neighbours as one: "0.30–0.45, 0.80–0.85"; empty if none is chosen. */
function chosenText(chart, dash = "–", comma = ", ") {
  const has = (k) => chart.chosen.has(k);
  const places = [...new Array(BINS).keys()];
  const [firsts, lasts] = [places.filter((k) => has(k) && !has(k - 1)), places.filter((k) => has(k) && !has(k + 1))];
  return firsts.map((first, k) => rangeText(chart, first, lasts[k] + 1, dash)).join(comma);
}

/** The bins of "0.30-0.45,0.80-0.85"; a range that does not run from bar to bar has none. */
function binsOf({ most }, text) {
  const chosen = new Set();
  for (const range of text.split(",")) {
    const [, ...edges] = /^(\d+\.?\d*)-(\d+\.?\d*)$/.exec(range) ?? [];
    const [first, end] = edges.map((edge) => +((BINS * edge) / most).toFixed(6));
    if (!Number.isInteger(first) || !Number.isInteger(end) || end > BINS) continue;
    for (let k = first; k < end; k++) chosen.add(k);
  }
  return chosen;
}
