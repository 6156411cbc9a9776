// The grid: a cell a sample, made as it is scrolled to, so that thumbnails are read when they are looked at.

const CHUNK = 60;
const grid = byId("grid");
let order = []; // numbers of the samples that the grid shows
let observer = null;

/** Draws the grid anew: the first cells now, the others when the end of the grid comes near. */
function showGrid(chosen) {
  order = chosen;
  grid.replaceChildren();
  byId("none").hidden = order.length > 0;
  const shown = columns.key.length;
  const part = shown < tables.total ? `, of ${thousands(tables.total)} in the build` : "";
  byId("count").textContent = `${thousands(order.length)} of ${thousands(shown)} samples${part}`;
  observer?.disconnect();
  observer = new IntersectionObserver((seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    reveal(grid.children.length + CHUNK - 1);
    observer.unobserve(byId("more")); // observed again, it reports again where it is still near
    if (grid.children.length < order.length) observer.observe(byId("more"));
  }, { rootMargin: "500px" });
  reveal(CHUNK - 1);
  if (grid.firstElementChild) grid.firstElementChild.tabIndex = 0;
  observer.observe(byId("more"));
}

/** Makes the cells up to a place in the order. */
function reveal(place) {
  grid.append(...order.slice(grid.children.length, place + 1).map(cell));
}

function cell(i) {
  const thumb = make("span", { className: "thumb" });
  showThumb(thumb, i);
  if (columns.full[i]) thumb.append(make("span", { className: "whole", title: "layers of full size" }, "exact"));
  const shown = columns.occluded[i] ? `${Math.round(100 * columns.visible[i])} % visible` : "not occluded";
  const line = make("span", { className: "line" }, make("b", null, columns.caption[i] || columns.key[i]), make("span", { className: "unit" }, columns.key[i]), " ", make("span", { className: "unit" }, shown));
  return make("button", { type: "button", className: "cell", tabIndex: -1, "data-sample": i }, thumb, line);
}

/** The cell of a sample, made if it was not; null if the grid does not show it. */
function cellOf(i) {
  const place = order.indexOf(i);
  if (place < 0) return null;
  reveal(place);
  return grid.children[place];
}

/** Gives a cell the focus; the Tab key then comes back to it. */
function focusCell(target) {
  grid.querySelector(".cell[tabindex='0']")?.setAttribute("tabindex", "-1");
  target.tabIndex = 0;
  target.focus();
}

/** Arrow keys, Page Up and Down, Home and End move between the cells. */
function gridKey(event) {
  const cells = grid.children;
  const at = [...cells].indexOf(event.target.closest(".cell"));
  const wide = [...cells].findIndex((c) => c.offsetTop > cells[0].offsetTop);
  const across = wide < 0 ? cells.length : wide;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across, PageDown: 4 * across, PageUp: -4 * across, Home: -Infinity, End: Infinity }[event.key];
  if (at < 0 || step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  const place = Math.min(Math.max(at + step, 0), order.length - 1);
  reveal(place);
  focusCell(cells[place]);
}
