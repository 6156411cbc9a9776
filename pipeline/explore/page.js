// The page: filters, grid, histograms and scene follow each other and the address.

let sifted = null; // the address of the filters that the page shows

function refresh() {
  const { found, left } = sift();
  const count = acting();
  showGrid(found);
  showHistograms(left);
  byId("clear").textContent = count ? `Clear all (${count})` : "Clear all";
  byId("clear").ariaDisabled = String(!count);
  sifted = addressOf(null);
}

/** Shows what the address says; where its filters are those that act, the grid stays as it is. */
function follow() {
  const scene = obey();
  const others = addressOf(null) !== sifted;
  if (others) refresh();
  if (scene === null) byId("scene").close();
  else if (others || view?.number !== scene) openScene(scene); // its neighbours may be others
}

function choose() {
  refresh();
  tell(true);
}

fillFilters();
makeHistograms(choose);
if (matchMedia("(max-width: 600px)").matches) byId("histograms").open = false; // the samples first
form.addEventListener("input", (event) => {
  refresh();
  tell(event.target.type !== "search"); // typing is no step of the history
});
form.addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", () => {
  clearFilters();
  choose();
});
grid.addEventListener("keydown", gridKey);
grid.addEventListener("click", (event) => {
  const target = event.target.closest(".cell");
  if (!target) return;
  focusCell(target);
  openScene(Number(target.dataset.sample));
  tell(true);
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address keeps the filters
  grid.focus();
});
for (const name of ["popstate", "hashchange"]) addEventListener(name, follow);
wireScene();
follow();
