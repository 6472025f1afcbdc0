// The running accuracy of three rankings as lines.

import { count, drawn, make, share } from "./dom.js";

const RANKINGS = { scored: "the model", published: "the list they had", popularity: "popularity" };
export const MEASURES = { "hr@10": "HR@10", "ndcg@10": "NDCG@10", "hr@100": "HR@100", "ndcg@100": "NDCG@100" };
const HEIGHT = 240, LEFT = 42, RIGHT = 12, TOP = 12, BOTTOM = 26;

export class Chart {
  constructor(place) {
    this.place = place;
    this.points = [];
    this.measure = "hr@10";
    new ResizeObserver(() => this.draw()).observe(place);
  }

  restart(points) {
    this.points = points;
  }

  add(accuracy) {
    const last = this.points.at(-1);
    if (accuracy.events && (!last || accuracy.events - last.events >= 5)) this.points.push(accuracy);
    if (this.points.length > 400) this.points = this.points.filter((_, place) => place % 2 || place > 300);
    this.now = accuracy;
    this.draw();
  }

  draw() {
    const width = this.place.clientWidth;
    if (!this.now?.events || width < 50) {
      this.place.replaceChildren(make("p", { class: "dim" }, "No interaction has been ranked yet."));
      return;
    }
    this.place.replaceChildren(this.legend(), this.svg(width));
  }

  legend() {
    return make("ul", { class: "legend" }, Object.entries(RANKINGS).map(([ranking, name]) =>
      make("li", { "data-ranking": ranking }, make("i"), `${name} `, make("b", {}, share(this.now[`${ranking}_${this.measure}`])))));
  }

  svg(width) {
    const points = this.points.length > 1 ? this.points : [{ ...this.now, events: this.now.events - 1 }, this.now];
    const values = Object.keys(RANKINGS).flatMap((ranking) => points.map((point) => point[`${ranking}_${this.measure}`] ?? 0));
    const top = nice(Math.max(...values, 0.01));
    const [first, last] = [points[0].events, points.at(-1).events];
    const x = (events) => LEFT + ((events - first) / Math.max(1, last - first)) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    const said = Object.entries(RANKINGS).map(([ranking, name]) => `${name} ${share(this.now[`${ranking}_${this.measure}`])}`);
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img",
      "aria-label": `${MEASURES[this.measure]} over the last interactions: ${said.join(", ")}` });
    for (const tick of [0, 0.5, 1]) {
      svg.append(drawn("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(top * tick), y2: y(top * tick) }),
        drawn("text", { x: LEFT - 6, y: y(top * tick) + 4, "text-anchor": "end" }, share(top * tick)));
    }
    svg.append(drawn("text", { x: LEFT, y: HEIGHT - 6 }, count(first)),
      drawn("text", { x: width - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, `${count(last)} interactions`));
    for (const ranking of Object.keys(RANKINGS).reverse()) {
      const path = points.map((point) => `${x(point.events).toFixed(1)},${y(point[`${ranking}_${this.measure}`] ?? 0).toFixed(1)}`);
      svg.append(drawn("polyline", { "data-ranking": ranking, points: path.join(" ") }));
    }
    return svg;
  }
}

function nice(value) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1];
  return steps.find((step) => step >= value) ?? 1;
}
