// Histograms as drawings in the page: what is chosen before all samples.

const BINS = 20;
const CHARTS = [
  { column: "visible", title: "visible fraction", most: 1 },
  { column: "area", title: "area, share of the canvas", most: Math.max(0.05, Math.ceil(20 * columns.area.reduce((a, b) => Math.max(a, b), 0)) / 20) },
  { column: "iou", title: "mask IoU", most: 1 },
];

/** How many of `samples` fall in each of `BINS` bins from 0 to `most`; the last bin holds `most` too. */
function bins(values, samples, most) {
  const counts = new Array(BINS).fill(0);
  for (const i of samples) counts[Math.min(Math.floor((BINS * values[i]) / most), BINS - 1)]++;
  return counts;
}

function median(values) {
  const order = [...values].sort((a, b) => a - b);
  const middle = order.length / 2;
  return (order[Math.ceil(middle) - 1] + order[Math.floor(middle)]) / 2;
}

/** Draws all histograms; `chosen` are numbers of samples. */
function showHistograms(chosen) {
  const every = columns.key.map((_, i) => i);
  byId("histograms").querySelector(".charts").replaceChildren(...CHARTS.map((chart) => histogram(chart, every, chosen)));
  const few = chosen.length < every.length;
  byId("legend").textContent = few ? `Shares of the ${thousands(chosen.length)} samples chosen; outlined: of all ${thousands(every.length)}.` : "";
}

function histogram({ column, title, most }, every, chosen) {
  const values = columns[column];
  const [all, own] = [bins(values, every, most), bins(values, chosen, most)];
  const share = (counts, of) => counts.map((n) => n / Math.max(of.length, 1));
  const [ghosts, shares] = [share(all, every), share(own, chosen)];
  const top = Math.max(...ghosts, ...shares);
  const height = (s) => (66 * s) / top;
  const bars = shares.map((s, k) => {
    const range = `${+((most * k) / BINS).toFixed(3)} to ${+((most * (k + 1)) / BINS).toFixed(3)}`;
    const attributes = { class: "bar", x: 4 + 12 * k, y: 70 - height(s), width: 11, height: height(s), "data-count": own[k] };
    return draw("rect", attributes, draw("title", {}, `${range}: ${own[k]} of ${chosen.length}`));
  });
  const outline = ghosts.map((s, k) => `${k ? "L" : "M"}${4 + 12 * k} ${70 - height(s)}h12`).join("");
  const ticks = [0, 0.5, 1].map((t) => draw("text", { x: 4 + 240 * t, y: 84, "text-anchor": ["start", "middle", "end"][2 * t] }, String(+(most * t).toFixed(3))));
  const said = chosen.length ? `median ${median(chosen.map((i) => values[i])).toFixed(2)}` : "none";
  const box = { viewBox: "0 0 248 88", role: "img", "aria-label": `Histogram of ${title}: ${thousands(chosen.length)} samples, ${said}` };
  const picture = draw("svg", box, ...bars, draw("path", { class: "all", d: outline }), draw("path", { class: "axis", d: "M4 70.5h240" }), ...ticks);
  return make("figure", null, make("figcaption", null, make("b", null, title), ` ${said}`), picture);
}
