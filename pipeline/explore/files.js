// Files beside the page. A page from a file may not fetch(), so what it reads are scripts that call `layerloom`.

const tables = JSON.parse(byId("content").textContent);
const columns = tables.columns;
const reading = new Map(); // name: promise of its value
const arrivals = new Map(); // name: what takes its value

/** Called by the files beside the page. */
function layerloom(name, value) {
  arrivals.get(name)?.(value);
}

/** The value of a file, e.g. "scenes/0003"; each is read once. Rejected with a sentence where it cannot be read. */
function load(name) {
  if (reading.has(name)) return reading.get(name);
  const path = `${tables.folder}/${name}.js`;
  const promise = new Promise((resolve, reject) => {
    const script = make("script", { src: path });
    const end = () => { // where the value has come, refusing is of no effect
      reject(new Error(`${path} is missing or cannot be read; it belongs beside this page`));
      script.remove();
    };
    arrivals.set(name, resolve);
    script.addEventListener("error", end);
    script.addEventListener("load", end);
    document.head.append(script);
  });
  reading.set(name, promise);
  promise.catch(() => reading.delete(name)); // the next time it is tried again
  return promise;
}

const packOf = (i) => String(Math.floor(i / tables.pack)).padStart(4, "0");

/** Facts and layers of sample number `i`. */
async function loadScene(i) {
  const scene = (await load(`scenes/${packOf(i)}`))[i % tables.pack];
  const layers = scene.layers ?? (await load(`full/${scene.key}`));
  return { ...scene, layers: await decodeLayers(layers) };
}

/** Shows sample number `i` on an element: its part of the sheet of thumbnails. */
function showThumb(element, i) {
  const [first, place, last] = [i - (i % tables.pack), i % tables.pack, tables.across - 1];
  const rows = Math.ceil(Math.min(tables.pack, columns.key.length - first) / tables.across);
  const [x, y] = [place % tables.across, Math.floor(place / tables.across)];
  element.style.backgroundImage = `url("${tables.folder}/thumbs/${packOf(i)}.webp")`;
  element.style.backgroundSize = `${100 * tables.across}% ${100 * rows}%`;
  element.style.backgroundPosition = `${(100 * x) / last}% ${rows > 1 ? (100 * y) / (rows - 1) : 0}%`;
}
