// Elements and words. Everything from events becomes text, never markup: the server's CSP (Trusted Types) forbids markup from strings.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function drawn(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const count = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en"));
export const share = (value) => (value === undefined ? "–" : value.toFixed(3).replace(/^0/, ""));
export const rate = (value) => (value === null || value === undefined ? "–" : value < 10 ? value.toFixed(1) : count(value));
export const moment = (at) => new Date(at).toISOString().slice(0, 16).replace("T", " ");

export function span(seconds) {
  if (seconds === null || seconds === undefined) return "the beginning";
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.round(seconds / size)} ${name}`;
  }
  return `${Math.round(seconds)} s`;
}

// The same for a narrow place.
export const brief = (seconds) => span(seconds).replace("the beginning", "first").replace(" min", "m").replace(" ", "");
