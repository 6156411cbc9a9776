// The table of methods: means with intervals, or paired differences from the reference.

const MARKS = {
  1: { sign: "†", className: "better", said: "better than the reference: the interval of the paired difference excludes 0" },
  "-1": { sign: "‡", className: "worse", said: "worse than the reference: the interval of the paired difference excludes 0" },
};

/** Draws the table. `choose` is called with the number of a method whose name was pressed. */
function showMethods(protocol, state, choose) {
  const table = byId("methods");
  const differences = state.view === "differences";
  const cells = protocol.methods.map((m) => (differences ? m.differences : m.scores));
  const scales = protocol.metrics.map((_, k) => scale(cells.map((row) => row[k]), differences));
  const order = () => {
    const { key, descending } = state.methodSort;
    if (key === null) return protocol.methods.map((_, i) => i);
    return sorted(protocol.methods.map((m, i) => (typeof key === "number" ? mean(cells[i][key]) : m[key])), descending);
  };
  const rows = protocol.methods.map((_, i) => methodRow(protocol, i, cells[i], scales, differences, choose));
  const draw = () => table.tBodies[0].replaceChildren(...order().map((i) => rows[i]));
  table.caption.textContent = differences
    ? `${protocol.id}: mean difference from ${protocol.referenceName} over the pictures that both were scored on [95 % interval]`
    : `${protocol.id}: mean over pictures [95 % interval]`;
  sortableHead(table.tHead, methodColumns(protocol), state.methodSort, draw);
  draw();
  markMethod(state.method);
}

function methodColumns(protocol) {
  return [
    { key: "name", label: ["Method"], descending: false, className: "name" },
    ...protocol.metrics.map((m, k) => ({ key: k, label: metricLabel(m), title: `${m.name}: ${m.definition}`, descending: m.higher_is_better })),
    { key: "failed", label: ["Pictures"], title: "Pictures that the method answered", descending: true },
    ...(timed(protocol) ? [{ key: "seconds", label: ["Time", make("span", { className: "unit" }, "s per picture")], descending: false }] : []),
  ];
}

const timed = (protocol) => protocol.methods.some((m) => m.seconds !== null);

const mean = (score) => (score === null ? null : score[0]);

function scale(scores, withZero) {
  const known = scores.filter((s) => mean(s) !== null).flatMap((s) => s.slice(0, 3)).filter((v) => v !== null);
  if (withZero) known.push(0);
  return [Math.min(...known), Math.max(...known)];
}

function methodRow(protocol, i, scores, scales, differences, choose) {
  const method = protocol.methods[i];
  const button = make("button", { type: "button", className: "plain", title: "Show the pictures of this method" }, method.name);
  button.addEventListener("click", () => choose(i));
  const name = make("th", { scope: "row", className: "name" }, button);
  if (i === protocol.reference) name.append(make("span", { className: "unit" }, "reference"));
  const answered = make("td", { className: "num" }, String(protocol.items.length - method.failed));
  if (method.failed) answered.append(make("span", { className: "range worse" }, `${method.failed} failed`));
  const row = make("tr", { "data-method": i }, name);
  scores.forEach((score, k) => row.append(scoreCell(score, protocol.metrics[k], scales[k], method, k, differences)));
  row.append(answered);
  if (timed(protocol)) row.append(make("td", { className: "num" }, method.seconds === null ? "–" : String(Number(method.seconds.toPrecision(3)))));
  return row;
}

function scoreCell(score, metric, [from, to], method, k, differences) {
  if (mean(score) === null) return make("td", { className: "num none" }, "–");
  const [value, low, high, count] = score;
  const best = method.best[k] && !differences;
  const digits = differences ? metric.differenceDigits : metric.digits;
  const text = make(best ? "strong" : "span", null, number(value, digits, differences));
  const mark = MARKS[method.marks[k]];
  const sign = make("span", { className: "sign" });
  if (mark) sign.append(make("span", { role: "img", className: mark.className, "aria-label": mark.said, title: mark.said }, mark.sign));
  const range = make("span", { className: "range" }, `[${number(low, digits, differences)}, ${number(high, digits, differences)}]`);
  const cell = make("td", { className: "num" }, text, sign, range);
  if (method.fewer[k] && !differences) cell.append(make("span", { className: "range worse" }, `n = ${count}`));
  cell.append(bar(value, low, high, from, to, differences));
  return cell;
}

/** Shows which method's pictures are listed. */
function markMethod(chosen) {
  for (const row of byId("methods").tBodies[0].rows) {
    if (Number(row.dataset.method) === chosen) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}
