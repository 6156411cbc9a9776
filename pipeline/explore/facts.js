// What a scene was made from: facts, assets and recipe.

/** Facts, assets and recipe of a scene. */
function tellScene({ key, facts, placed, recipe }, i) {
  const c = columns;
  byId("caption").textContent = c.caption[i];
  const met = c.occluded[i] ? `${percent(c.visible[i])}, ${percent(facts.asked_visible_fraction)} asked` : percent(c.visible[i]);
  const pairs = [
    ["split", c.split[i]], ["target", `${c.origin[i]}, ${c.target[i]}`], ["objects", facts.num_objects], ["visible", met],
    ["area", `${percent(c.area[i])} of the canvas`], ["mask", `${c.mask[i]}, strength ${facts.mask_strength.toFixed(2)}, IoU ${c.iou[i].toFixed(2)}`],
    ["licence of the whole", facts.license], ["seed", facts.seed], ["layouts drawn in vain", facts.attempt],
  ];
  const partner = c.key.indexOf(facts.pair);
  if (facts.pair) pairs.push(["partner", partner < 0 ? facts.pair : make("a", { href: `#${addressOf(partner)}` }, facts.pair)]);
  byId("facts").replaceChildren(...pairs.map(([name, value]) => make("div", null, make("dt", null, name), make("dd", null, typeof value === "number" ? String(value) : value))));
  const shown = placed.map((layer, k) => assetItem(layer, tables.assets[c.assets[i][k]]));
  byId("assets").replaceChildren(...shown.reverse());
  byId("again").textContent = `layerloom render OUT ${key}`;
  byId("recipe").textContent = JSON.stringify(recipe, null, 2);
}

function assetItem({ role, shadow, affine }, asset) {
  const outside = (href, text) => make("a", { href, rel: "noreferrer noopener", target: "_blank" }, text);
  const license = /^[\w.+-]+$/.test(asset.license) ? outside(`https://spdx.org/licenses/${asset.license}.html`, asset.license) : asset.license;
  const source = /^https?:\/\//.test(asset.uri) ? outside(asset.uri, asset.uri) : make("code", null, asset.uri);
  const kind = [role, asset.origin, asset.whole ? "whole" : "cut by its photograph", ...(shadow ? ["casts a shadow"] : [])].join(", ");
  return make("li", null,
    make("b", null, asset.caption || asset.id), make("span", { className: "unit" }, kind),
    make("span", null, license, ", ", asset.attribution),
    make("span", { className: "unit", title: `affine ${affine.map((v) => +v.toFixed(4)).join(" ")}` }, `${asset.id}, from `, source));
}
