// Pixels: layers decoded to planes, and the picture that they stand for, in whole numbers.

const CUBE = 255 ** 3;
const HALF = (CUBE - 1) / 2;
const TINT = [255, 0, 128];

/** Pixels of an opaque WebP in base64, RGBA. Opaque, because a canvas loses colours where alpha is below 255. */
async function decode(data, width, height) {
  const image = new Image();
  image.src = `data:image/webp;base64,${data}`;
  await image.decode();
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

/** A plane of `size` x `size` with `channels` bytes a pixel, 0 outside the stored box. */
async function decodePlane({ box: [x, y, width, height], data }, size, channels) {
  const plane = new Uint8ClampedArray(size * size * channels);
  if (!data) return plane;
  const pixels = await decode(data, width, height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 4 * (row * width + column);
      const to = channels * ((row + y) * size + column + x);
      for (let c = 0; c < channels; c++) plane[to + c] = pixels[from + c];
    }
  }
  return plane;
}

/** Layers as planes of `size` x `size`: RGBA (straight) of background, object and front; one byte of the others. */
async function decodeLayers({ size, crc, planes }) {
  const rgba = async (name) => {
    const colour = await decodePlane(planes[name], size, 4);
    const alpha = await decodePlane(planes[`${name}_alpha`], size, 1);
    for (let i = 0; i < alpha.length; i++) colour[4 * i + 3] = alpha[i];
    return colour;
  };
  const [background, object, front, shadow, mask] = await Promise.all([
    decodePlane(planes.background, size, 4), rgba("foreground"), rgba("occluder"),
    decodePlane(planes.shadow, size, 1), decodePlane(planes.mask, size, 1),
  ]);
  const [a, b] = [planes.foreground.box, planes.shadow.box];
  return { size, crc, background, object, front, shadow, mask, box: union(a, b), objectBox: a };
}

/** The box (left, top, right, bottom) around two of (x, y, width, height), of which either may be empty. */
function union(a, b) {
  const boxes = [a, b].filter((box) => box[2] > 0);
  if (!boxes.length) return [0, 0, 0, 0];
  const [left, top] = [0, 1].map((i) => Math.min(...boxes.map((box) => box[i])));
  return [left, top, ...[0, 1].map((i) => Math.max(...boxes.map((box) => box[i] + box[i + 2])))];
}

/** What the object lies on: the background, or a checkerboard with what is in front. RGBA, opaque. */
function ground({ size, background, front }, on) {
  if (on.background) return background;
  const board = new Uint8ClampedArray(4 * size * size);
  const square = Math.max(size >> 5, 4);
  for (let i = 0; i < size * size; i++) {
    const shade = (Math.floor((i % size) / square) + Math.floor(i / size / square)) % 2 ? 200 : 240;
    const alpha = on.front ? front[4 * i + 3] : 0;
    for (let c = 0; c < 3; c++) board[4 * i + c] = (alpha * front[4 * i + c] + (255 - alpha) * shade) / 255;
    board[4 * i + 3] = 255;
  }
  return board;
}

/**
 * The picture in which the object and its shadow stand `dx`, `dy` pixels beside their place, into `out` (RGBA). With
 * a = alpha / 255: bg_s = bg - sh (bg - a_oc oc); composite = (1 - a_fg) bg_s + a_fg (a_oc oc + (1 - a_oc) fg). Times
 * 255^3 these are whole numbers below 2^33, which doubles hold; 255^3 is odd, so none lies half-way between two.
 */
function recompose(layers, on, dx, dy, base, out) {
  const { size, object, front, shadow, box: [left, top, right, bottom] } = layers;
  out.set(base);
  for (let y = Math.max(top, -dy); y < Math.min(bottom, size - dy); y++) {
    for (let x = Math.max(left, -dx); x < Math.min(right, size - dx); x++) {
      const from = y * size + x;
      const fa = on.object ? object[4 * from + 3] : 0;
      const sh = on.shadow ? shadow[from] : 0;
      if (fa === 0 && sh === 0) continue;
      const to = 4 * (from + dy * size + dx);
      const oa = on.front ? front[to + 3] : 0;
      for (let c = 0; c < 3; c++) {
        const above = oa * front[to + c];
        const behind = 255 * base[to + c] * (255 - sh) + sh * above;
        const target = above + (255 - oa) * object[4 * from + c];
        out[to + c] = Math.floor(((255 - fa) * behind + 255 * fa * target + HALF) / CUBE);
      }
    }
  }
}

/** The mask as a tint with an outline, over `out`. */
function tint({ size, mask }, out) {
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    const x = i % size;
    const inside = x > 0 && x < size - 1 && mask[i - 1] && mask[i + 1] && mask[i - size] && mask[i + size];
    for (let c = 0; c < 3; c++) out[4 * i + c] += (inside ? 0.35 : 1) * (TINT[c] - out[4 * i + c]);
  }
}

/** CRC-32 (ISO 3309) of the RGB bytes of RGBA pixels. */
function crcOfRgb(pixels) {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
    return n;
  });
  let crc = 0xffffffff;
  for (let i = 0; i < pixels.length; i++) if (i % 4 < 3) crc = table[(crc ^ pixels[i]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
