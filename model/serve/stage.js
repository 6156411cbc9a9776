// The object over its background on a canvas, where it is dragged. `value` is JSON: addresses of two PNG files.

const SIGNATURE = 8; // bytes before a PNG's first chunk
const STEP = 10; // pixels with Shift
const find = (selector) => element.querySelector(selector);
let view = null; // of the layers shown: width, height, object (RGBA), ground (RGB), box, image, dx, dy

/**
 * Pixels of a PNG as `stages.codec` writes it: 8 bits, straight RGB or RGBA, every row filtered `up`. A canvas would
 * decode it too, but multiplies colours by alpha, and so loses those of soft edges.
 */
async function readPng(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`a layer cannot be fetched (${answer.status})`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const numbers = new DataView(bytes.buffer);
  const parts = [];
  for (let at = SIGNATURE; at < bytes.length; at += numbers.getUint32(at) + 12) {
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + numbers.getUint32(at)));
  }
  const [width, height, channels] = [numbers.getUint32(16), numbers.getUint32(20), bytes[25] === 6 ? 4 : 3];
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  const row = width * channels;
  const pixels = new Uint8Array(row * height);
  for (let y = 0; y < height; y++) {
    const [from, to] = [y * (row + 1) + 1, y * row];
    for (let x = 0; x < row; x++) pixels[to + x] = raw[from + x] + (y ? pixels[to + x - row] : 0);
  }
  return { width, height, pixels };
}

/** The box (left, top, right, bottom) of what is not transparent; empty where all is. */
function boxOf({ width, height, pixels }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    const row = 4 * y * width + 3;
    let [first, last] = [0, width];
    while (first < width && !pixels[row + 4 * first]) first++;
    if (first === width) continue;
    while (!pixels[row + 4 * (last - 1)]) last--;
    left = Math.min(left, first);
    right = Math.max(right, last);
    top = Math.min(top, y);
    bottom = y + 1;
  }
  return right ? [left, top, right, bottom] : [0, 0, 0, 0];
}

/** The box of the object where it is now, cut to the canvas. */
function placed() {
  const [left, top, right, bottom] = view.box;
  const inside = (value, most) => Math.min(Math.max(value, 0), most);
  const [x0, x1] = [left, right].map((x) => inside(x + view.dx, view.width));
  const [y0, y1] = [top, bottom].map((y) => inside(y + view.dy, view.height));
  return [x0, y0, x1, y1];
}

/** Copies the background into a box of the picture. */
function clear([x0, y0, x1, y1]) {
  const { width, ground, image } = view;
  for (let y = y0; y < y1; y++) {
    for (let i = y * width + x0; i < y * width + x1; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = ground[3 * i + c];
    }
  }
}

/** Straight alpha over, of sRGB-encoded values: (a f + (255 - a) b) / 255, rounded to nearest; 255 is odd: no ties. */
function lay([x0, y0, x1, y1]) {
  const { width, ground, object, image, dx, dy } = view;
  for (let y = y0; y < y1; y++) {
    for (let x = x0; x < x1; x++) {
      const from = 4 * ((y - dy) * width + x - dx);
      const a = object[from + 3];
      if (a === 0) continue;
      const i = y * width + x;
      for (let c = 0; c < 3; c++) {
        image.data[4 * i + c] = Math.floor((a * object[from + c] + (255 - a) * ground[3 * i + c] + 127) / 255);
      }
    }
  }
}

const signed = (n) => (n < 0 ? `−${-n}` : `+${n}`);

/** Puts the object `dx`, `dy` pixels beside its place, some of its box always on the canvas, and draws what changes. */
function moveTo(dx, dy) {
  const [left, top, right, bottom] = view.box;
  const held = (d, low, high, length) => Math.min(Math.max(Math.round(d), 1 - high), length - 1 - low);
  const before = placed();
  clear(before);
  [view.dx, view.dy] = [held(dx, left, right, view.width), held(dy, top, bottom, view.height)];
  const after = placed();
  lay(after);
  const context = find("canvas").getContext("2d");
  for (const [x0, y0, x1, y1] of [before, after]) {
    if (x1 > x0 && y1 > y0) context.putImageData(view.image, 0, 0, x0, y0, x1 - x0, y1 - y0);
  }
  tell();
}

function tell() {
  const away = view.dx !== 0 || view.dy !== 0;
  const canvas = find("canvas");
  [canvas.dataset.dx, canvas.dataset.dy] = [view.dx, view.dy];
  find("output").textContent = away ? `moved ${signed(view.dx)}, ${signed(view.dy)} px` : "Drag the object.";
  find(".home").disabled = !away;
}

function show(object, ground) {
  const { width, height } = ground;
  const canvas = find("canvas");
  [canvas.width, canvas.height] = [width, height];
  view = { width, height, object: object.pixels, ground: ground.pixels, box: boxOf(object), dx: 0, dy: 0 };
  view.image = new ImageData(new Uint8ClampedArray(4 * width * height).fill(255), width, height);
  clear([0, 0, width, height]);
  canvas.getContext("2d").putImageData(view.image, 0, 0);
  moveTo(0, 0);
  find(".stage").dataset.state = "ready";
}

const hint = find(".hint").textContent;
let asked = null;

async function load() {
  asked = props.value;
  const mine = asked;
  find(".stage").dataset.state = "empty";
  find(".hint").textContent = hint;
  if (!mine) return;
  try {
    const layers = await Promise.all(JSON.parse(mine).map(readPng));
    if (asked === mine) show(...layers);
  } catch (error) {
    if (asked === mine) find(".hint").textContent = `The layers cannot be shown: ${error.message}`;
  }
}

function wire() {
  const canvas = find("canvas");
  let [grip, frame] = [null, 0];
  canvas.addEventListener("pointerdown", (event) => {
    if (!view || !event.isPrimary || event.button !== 0) return; // a second finger moves nothing
    canvas.setPointerCapture(event.pointerId);
    grip = { x: event.clientX, y: event.clientY, dx: view.dx, dy: view.dy, scale: view.width / canvas.getBoundingClientRect().width };
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip || !canvas.hasPointerCapture(event.pointerId)) return;
    const [dx, dy] = [grip.dx + (event.clientX - grip.x) * grip.scale, grip.dy + (event.clientY - grip.y) * grip.scale];
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => moveTo(dx, dy));
  });
  canvas.addEventListener("lostpointercapture", () => {
    grip = null;
    canvas.classList.remove("held");
  });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!view || event.ctrlKey || event.altKey || event.metaKey || !(way || event.key === "Home")) return;
    event.preventDefault();
    const step = event.shiftKey ? STEP : 1;
    if (way) moveTo(view.dx + step * way[0], view.dy + step * way[1]);
    else moveTo(0, 0);
  });
  find(".home").addEventListener("click", () => moveTo(0, 0));
  find(".save").addEventListener("click", () => canvas.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "recomposed.png";
    link.click();
    URL.revokeObjectURL(link.href);
  }, "image/png"));
}

wire();
watch("value", load);
if (props.value) load();
