// The layers of the open scene: drawn apart in depth order, and listed with a switch each.

const LAYERS = [ // from the back to the front
  ["background", "Background", "the scene without the object and its shadow"],
  ["shadow", "Shadow", "of the object, black at this density"],
  ["object", "Object", "whole, also where it is hidden"],
  ["front", "In front", "what hides a part of the object; off: the object stands before it"],
  ["mask", "Mask", "what a user would mark, over the picture"],
];

/** RGBA pixels of a layer, with alpha, as it is shown alone. */
function layerPixels(layers, name) {
  if (name !== "shadow" && name !== "mask") return layers[name];
  const [colour, share] = name === "shadow" ? [[0, 0, 0], 1] : [TINT, 0.6];
  const pixels = new Uint8ClampedArray(4 * layers.size ** 2);
  layers[name].forEach((value, i) => pixels.set([...colour, share * value], 4 * i));
  return pixels;
}

/** Whether a layer shows nothing. */
function isEmpty(layers, name) {
  const pixels = layers[name];
  if (pixels.length === layers.size ** 2) return !pixels.some(Boolean);
  for (let i = 3; i < pixels.length; i += 4) if (pixels[i]) return false;
  return true;
}

/** Puts a canvas a layer on the stack and a row a layer, the front first, into the list; `changed` is called on a switch. */
function makeLayers(view, changed) {
  view.planes = LAYERS.map(([name], k) => {
    const plane = make("canvas", { width: view.layers.size, height: view.layers.size, "data-layer": name });
    plane.style.setProperty("--k", String(k - (LAYERS.length - 1) / 2));
    return { name, plane, image: new ImageData(layerPixels(view.layers, name), view.layers.size) };
  });
  byId("stack").replaceChildren(...view.planes.map((p) => p.plane));
  byId("layers").replaceChildren(...LAYERS.map((layer, k) => layerRow(view, layer, k, changed)).reverse());
  drawPlanes(view);
}

function layerRow(view, [name, title, hint], k, changed) {
  const empty = isEmpty(view.layers, name);
  const box = make("input", { type: "checkbox", name, checked: view.on[name], disabled: empty });
  box.addEventListener("change", () => {
    view.on[name] = box.checked;
    changed();
  });
  const small = make("canvas", { className: "checks", width: 112, height: 112 });
  const { plane, image } = view.planes[k];
  plane.getContext("2d").putImageData(image, 0, 0);
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(plane, 0, 0, 112, 112);
  return make("label", { className: "layer" }, box, small, make("span", null, make("b", null, title), make("span", { className: "unit" }, empty ? "nothing here" : hint)));
}

/** Draws the stack: object and shadow where they were moved to, layers that are off left out. */
function drawPlanes(view) {
  for (const { name, plane, image } of view.planes) {
    const moves = name === "object" || name === "shadow";
    const context = plane.getContext("2d");
    context.clearRect(0, 0, plane.width, plane.height);
    context.putImageData(image, moves ? view.dx : 0, moves ? view.dy : 0);
    plane.hidden = !view.on[name];
  }
}
