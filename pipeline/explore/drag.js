// Moving the object of the open scene: by mouse, pen or finger, and by keys.

const STEP = 10; // pixels with Shift

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
    if (!view?.layers || !event.isPrimary || event.button !== 0) return; // a second finger moves nothing
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
