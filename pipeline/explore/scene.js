// One scene: its layers together on a canvas, or apart.

const picture = byId("picture");
let view = null; // of the open scene: number, layers, on, dx, dy, base, image, planes

/** Opens sample number `i`, or says why it cannot be. */
async function openScene(i) {
  const dialog = byId("scene");
  if (!dialog.open) dialog.showModal();
  view = { number: i };
  const mine = view;
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
    byId(id).addEventListener("click", () => {
      openScene(order[order.indexOf(view.number) + step]);
      tell(true);
    });
  }
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // another scene was opened since
    const target = view && cellOf(view.number);
    view = null;
    delete dialog.dataset.shown;
    tell(true);
    if (target) focusCell(target);
  });
}
