"use strict";
// Small helpers. Strings of the build enter the page as text only, never as markup.

const byId = (id) => document.getElementById(id);

/** An element with properties (or, where it has no such property, attributes) and children; strings become text. */
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** An element of a drawing, with attributes. */
function draw(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const thousands = (n) => n.toLocaleString("en");
const percent = (share) => `${+(100 * share).toFixed(1)} %`;
