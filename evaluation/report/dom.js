"use strict";
// Small helpers. Strings of the report enter the page as text only, never as markup.

const byId = (id) => document.getElementById(id);

/** An element with properties (or, where it has no such property, attributes) and children; strings become text. */
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A score with its column's decimals; an en dash where it is undefined. */
function number(value, digits, plus = false) {
  if (value === null || value === undefined) return "–";
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? "−" : plus ? "+" : "") + text;
}

const words = new Intl.Collator("en", { numeric: true });

/** Positions of `keys`, sorted; undefined ones last whichever way, equal ones as they stood. */
function sorted(keys, descending) {
  const way = descending ? -1 : 1;
  return keys.map((_, i) => i).sort((a, b) => {
    const [x, y] = [keys[a], keys[b]];
    if (x === null || y === null) return (x === null) - (y === null);
    return way * (typeof x === "string" ? words.compare(x, y) : x - y);
  });
}

/**
 * Heads of columns that sort. `sort` = {key, descending} is changed in place, then `changed` is called. A column that
 * was not sorted by begins with its own `descending`, which puts first what one looks for first.
 */
function sortableHead(head, columns, sort, changed) {
  const cells = columns.map(({ key, label, title, descending, className }) => {
    const button = make("button", { type: "button", title: title ?? "" }, make("span", { className: "way", "aria-hidden": "true" }), ...label);
    const cell = make("th", { scope: "col", className: className ?? "" }, button);
    button.addEventListener("click", () => {
      sort.descending = sort.key === key ? !sort.descending : descending;
      sort.key = key;
      tell();
      changed();
    });
    return cell;
  });
  const tell = () => cells.forEach((cell, i) => {
    const state = columns[i].key !== sort.key ? "none" : sort.descending ? "descending" : "ascending";
    cell.setAttribute("aria-sort", state);
  });
  tell();
  head.replaceChildren(make("tr", null, ...cells));
  return tell;
}

/** Name of a metric's column with its unit and an arrow that tells which way is better. */
function metricLabel(metric) {
  const arrow = metric.higher_is_better ? "↑" : "↓";
  const said = metric.higher_is_better ? "higher is better" : "lower is better";
  return [
    make("span", { className: "metric" }, metric.title),
    make("span", { className: "unit" }, `${metric.unit} `, make("span", { role: "img", "aria-label": said, title: said }, arrow)),
  ];
}

/** A line on which `low` to `high` and the point `mean` are drawn to the scale `from` to `to`. */
function bar(mean, low, high, from, to, zero) {
  const place = (value) => `${to > from ? (100 * (value - from)) / (to - from) : 50}%`;
  const track = make("span", { className: "track", "aria-hidden": "true" });
  if (zero) track.append(at("zero", place(0)));
  if (low !== null && high !== null) {
    const span = at("span", place(low));
    span.style.right = `calc(100% - ${place(high)})`;
    track.append(span);
  }
  track.append(at("dot", place(mean)));
  return track;
}

function at(className, left) {
  const mark = make("i", { className });
  mark.style.left = left;
  return mark;
}
