// One scene: its layers together on a canvas, on which the object is moved, or apart; what it was made from.

const picture = byId("picture");
const STEP = 10; // pixels with Shift
let view = null; // of the open scene: number, layers, on, dx, dy, base, image, planes

/** Opens sample number `i`, or says why it cannot be. */
async function openScene(i) {
  const dialog = byId("scene");
  if (!dialog.open) dialog.showModal();
  view = { number: i };
  const mine = view;
  history.replaceState(null, "", `#${columns.key[i]}`);
  byId("shown").textContent = columns.key[i];
  const place = order.indexOf(i);
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= order.length - 1;
  byId("trouble").hidden = true;
  dialog.setAttribute("aria-busy", "true");
  try {
    const scene = await loadScene(i);
    if (view === mine) showScene(scene);
  } catch (error) {
    if (view === mine) tellTrouble(error.message);
  }
}

function tellTrouble(text) {
  byId("trouble").textContent = text;
  byId("trouble").hidden = false;
  byId("opened").hidden = true;
  byId("scene").removeAttribute("aria-busy");
}

function showScene(scene) {
  const { layers } = scene;
  Object.assign(view, { layers, dx: 0, dy: 0, on: { background: true, shadow: true, object: true, front: true, mask: false } });
  [picture.width, picture.height] = [layers.size, layers.size];
  view.image = new ImageData(layers.size, layers.size);
  byId("opened").hidden = false;
  view.base = ground(layers, view.on);
  makeLayers(view, () => {
    view.base = ground(layers, view.on);
    redraw();
  });
  redraw();
  byId("exact").textContent = saidExact(layers, view.image.data);
  tellScene(scene, view.number);
  byId("scene").dataset.shown = scene.key;
  byId("scene").removeAttribute("aria-busy");
}

/** Draws picture and stack as they now are. */
function redraw() {
  recompose(view.layers, view.on, view.dx, view.dy, view.base, view.image.data);
  if (view.on.mask) tint(view.layers, view.image.data);
  picture.getContext("2d").putImageData(view.image, 0, 0);
  drawPlanes(view);
  const away = view.dx !== 0 || view.dy !== 0;
  byId("moved").textContent = away ? `moved ${signed(view.dx)}, ${signed(view.dy)} px` : "";
  byId("home").disabled = !away;
}

const signed = (n) => (n < 0 ? `−${-n}` : `+${n}`);

/** What the undragged picture is to the stored composite. */
function saidExact({ size, crc }, pixels) {
  if (crc === null) return `Layers shrunk to ${size} px and compressed, so this is not exact; samples marked "exact" have layers of full size.`;
  const found = crcOfRgb(pixels);
  if (found === crc) return `Recomposed exactly: undragged, these ${size} × ${size} pixels are those of composite.png (CRC-32 ${hex(crc)}).`;
  return `Not the pixels of composite.png (CRC-32 ${hex(found)}, not ${hex(crc)}): this browser changes what a canvas reads, or the files beside this page are of another build.`;
}

const hex = (n) => n.toString(16).padStart(8, "0");

/** Puts the object `dx`, `dy` pixels beside its place, some of it always on the canvas. */
function moveTo(dx, dy) {
  const { size, objectBox: [x, y, width, height] } = view.layers;
  const held = (d, at, length) => Math.min(Math.max(Math.round(d), 1 - at - length), size - 1 - at);
  [view.dx, view.dy] = [held(dx, x, width), held(dy, y, height)];
  redraw();
}

function wireDrag() {
  let grip = null;
  let frame = 0;
  picture.addEventListener("pointerdown", (event) => {
    if (!view?.layers || event.button !== 0) return;
    picture.setPointerCapture(event.pointerId);
    grip = { x: event.clientX, y: event.clientY, dx: view.dx, dy: view.dy, scale: view.layers.size / picture.getBoundingClientRect().width };
    picture.classList.add("held");
  });
  picture.addEventListener("pointermove", (event) => {
    if (!grip || !picture.hasPointerCapture(event.pointerId)) return;
    const [dx, dy] = [grip.dx + (event.clientX - grip.x) * grip.scale, grip.dy + (event.clientY - grip.y) * grip.scale];
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => moveTo(dx, dy));
  });
  picture.addEventListener("lostpointercapture", () => {
    grip = null;
    picture.classList.remove("held");
  });
  picture.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!view?.layers || event.ctrlKey || event.altKey || event.metaKey || !(way || event.key === "Home")) return;
    event.preventDefault();
    const step = event.shiftKey ? STEP : 1;
    if (way) moveTo(view.dx + step * way[0], view.dy + step * way[1]);
    else moveTo(0, 0);
  });
}

function wireScene() {
  const dialog = byId("scene");
  wireDrag();
  byId("home").addEventListener("click", () => moveTo(0, 0));
  byId("close").addEventListener("click", () => dialog.close());
  byId("view").addEventListener("change", (event) => {
    const apart = event.target.value === "apart";
    picture.hidden = apart;
    byId("stack").hidden = byId("spread-label").hidden = !apart;
  });
  const spread = () => byId("stack").style.setProperty("--apart", byId("spread").value);
  byId("spread").addEventListener("input", spread);
  spread();
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => openScene(order[order.indexOf(view.number) + step]));
  }
  dialog.addEventListener("close", () => {
    history.replaceState(null, "", location.pathname + location.search);
    const target = view && cellOf(view.number);
    view = null;
    delete dialog.dataset.shown;
    if (target) focusCell(target);
  });
}
