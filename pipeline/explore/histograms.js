// Histograms whose bars are switches: each bar shows all samples, and before them those that the other filters leave.

/** Makes the histograms; `changed` is called when a bar is switched. */
function makeHistograms(changed) {
  byId("charts").replaceChildren(...CHARTS.map((chart) => {
    const bar = () => make("button", { type: "button", className: "bin", tabIndex: -1 }, make("span", { className: "all" }), make("span", { className: "left" }));
    chart.bars = chart.all.map(bar);
    chart.bars[Math.max(chart.all.findIndex(Boolean), 0)].tabIndex = 0;
    chart.box = make("div", { className: "bins", role: "toolbar" }, ...chart.bars);
    chart.said = make("span");
    const ticks = [0, 0.5, 1].map((t) => make("span", null, String(+(chart.most * t).toFixed(3))));
    wireBars(chart, changed);
    return make("figure", null, make("figcaption", null, make("b", null, chart.title), chart.said), chart.box, make("div", { className: "ticks", "aria-hidden": "true" }, ...ticks));
  }));
  byId("legend").textContent = `Wide: shares of all ${thousands(columns.key.length)} samples. Narrow: of those that the other filters leave.`;
}

function wireBars(chart, changed) {
  const { box, bars } = chart;
  const placeOf = (event) => bars.indexOf(event.target.closest(".bin"));
  box.addEventListener("click", (event) => {
    const k = placeOf(event);
    if (k < 0) return;
    if (!chart.chosen.delete(k)) chart.chosen.add(k);
    changed();
  });
  box.addEventListener("keydown", (event) => {
    const k = placeOf(event);
    const to = { ArrowLeft: k - 1, ArrowRight: k + 1, Home: 0, End: BINS - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    bars[to]?.focus();
  });
  box.addEventListener("focusin", (event) => {
    for (const bar of bars) bar.tabIndex = bar === event.target ? 0 : -1; // the Tab key comes back to this one
  });
  const read = (event) => { chart.said.textContent = bars[placeOf(event)]?.ariaLabel ?? chart.line; };
  for (const near of ["pointerover", "focusin"]) box.addEventListener(near, read);
  for (const away of ["pointerleave", "focusout"]) box.addEventListener(away, () => { chart.said.textContent = chart.line; });
}

function median(values) {
  const order = [...values].sort((a, b) => a - b);
  const middle = order.length / 2;
  return (order[Math.ceil(middle) - 1] + order[Math.floor(middle)]) / 2;
}

/** Draws all histograms; `left` holds, for each, the numbers of the samples that all filters but its own bars leave. */
function showHistograms(left) {
  CHARTS.forEach((chart, k) => showHistogram(chart, left[k]));
  const chosen = CHARTS.filter((chart) => chart.chosen.size);
  byId("acting").textContent = chosen.map((chart) => `${chart.title} ${chosenText(chart)}`).join("; ") || "choose bars to filter";
}

function showHistogram(chart, left) {
  const { all, bars, chosen } = chart;
  const counts = countBins(chart.bin, left);
  const shares = (of, total) => of.map((n) => n / Math.max(total, 1));
  const [wide, narrow] = [shares(all, columns.key.length), shares(counts, left.length)];
  const top = Math.max(...wide, ...narrow);
  bars.forEach((bar, k) => {
    bar.ariaPressed = String(chosen.has(k));
    bar.ariaLabel = `${rangeText(chart, k, k + 1)}: ${thousands(counts[k])} of ${thousands(left.length)}, all: ${thousands(all[k])}`;
    bar.dataset.count = counts[k];
    [wide, narrow].forEach((share, part) => {
      bar.children[part].hidden = share[k] === 0;
      bar.children[part].style.height = `${(100 * share[k]) / top}%`;
    });
  });
  const middle = left.length ? `median ${median(left.map((i) => columns[chart.name][i])).toFixed(2)}` : "none";
  chart.line = `${thousands(left.length)} samples, ${middle}`;
  chart.box.ariaLabel = `Histogram of ${chart.title}: ${chart.line}. Arrow keys move, Enter chooses`;
  chart.box.classList.toggle("some", chosen.size > 0);
  chart.said.textContent = chart.box.querySelector(":focus-visible")?.ariaLabel ?? chart.line;
}
