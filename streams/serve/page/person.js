// One user: what he posted between his interactions, which past steps the model looks at, and his list with the terms of its scores.

import { brief, count, make, moment, share, span } from "./dom.js";

const COLOURS = 8, TERMS = 6;

export function personView(user) {
  const colours = colourOf(user);
  return [
    make("p", { class: "dim" }, `list of ${moment(user.at)} after ${user.trigger === "post" ? "a post" : `an ${user.trigger}`}, `,
      make("span", { id: "age" }, span(user.age_seconds)), " old; ", modelText(user.model)),
    user.last && make("p", { class: "took" }, "Has just taken ", make("b", {}, name(user.last)), ". ", ranks(user.last)),
    ...timeline(user, colours),
    make("h3", {}, "His list"),
    make("p", { class: "dim" }, termsText(user.items)),
    make("ol", { class: "list" }, user.items.map((entry) => listed(entry, largest(user.items, -1), largest(user.items, 1), colours))),
  ].filter(Boolean);
}

const name = (one) => one.title || one.item;

function modelText(model) {
  const parts = [model.preset && `preset ${model.preset}`, model.version && `model ${String(model.version).slice(0, 12)}`,
    model.lessons !== undefined && `${count(model.lessons)} lessons`];
  return parts.filter(Boolean).join(", ");
}

function ranks(last) {
  const places = [[last.rank_published, "on the list he had"], [last.rank_scored, "by the model"], [last.rank_popularity, "by popularity"]];
  const said = places.filter(([rank]) => rank).map(([rank, where]) => `${count(rank)} ${where}`);
  return said.length ? `Place ${said.join(", ")}.` : "No ranking had it.";
}

// ---- windows ----

function strengths(user) {
  const sums = new Map();
  for (const window of [user.window, ...user.past.map((one) => one.window)]) {
    for (const { topic, weight, words } of Object.values(window.topics).flat()) {
      const before = sums.get(topic) ?? { weight: 0, words };
      sums.set(topic, { weight: before.weight + weight, words });
    }
  }
  return [...sums].sort((a, b) => b[1].weight - a[1].weight || a[0] - b[0]);
}

function colourOf(user) {
  const places = new Map(strengths(user).map(([topic], place) => [topic, place]));
  return (topic) => String(Math.min(places.get(topic) ?? COLOURS, COLOURS));
}

function timeline(user, colours) {
  const attention = new Map(user.attention.map((one) => [one.steps_ago, one.weight]));
  const steps = user.past.map((one, place) => ({ ...one, ago: place + 1, weight: attention.get(place + 1) })).reverse();
  const open = { window: user.window, ago: 0 };
  const posts = (step) => Object.values(step.window.posts).reduce((sum, one) => sum + one, 0);
  const most = Math.max(1, ...[...steps, open].map(posts));
  const heaviest = Math.max(...attention.values(), 1e-9);
  const detail = make("div", { class: "detail", "aria-live": "polite" });
  const columns = [...steps, open].map((step) => column(step, { posts, most, heaviest, colours, show }));
  function show(step, button) {
    for (const one of columns) one.setAttribute("aria-pressed", String(one === button));
    detail.replaceChildren(...details(step, colours));
  }
  const told = [...steps, open].findLastIndex(posts);
  show([...steps, open].at(told), columns.at(told));
  const older = user.attention.filter((one) => one.steps_ago > steps.length);
  return [
    make("h3", {}, "Posts between his interactions"),
    make("p", { class: "dim" }, "Oldest first; a column is a window of posts in the colours of their topics, below it the time it took. ",
      "Dots: how much the model looks back at that step."),
    make("div", { class: "steps", role: "group", "aria-label": "Windows, oldest first" }, columns),
    detail,
    older.length ? make("p", { class: "dim" }, "It also looks at steps older than those shown: ",
      older.map((one) => `${one.steps_ago} steps ago ${percent(one.weight)}`).join(", "), ".") : null,
    strengths(user).length ? make("ul", { class: "topics", "aria-label": "Topics" }, strengths(user).slice(0, COLOURS).map(([topic, { words }]) =>
      make("li", {}, make("i", { "data-colour": colours(topic) }), topicName(topic, words)))) : null,
  ].filter(Boolean);
}

const percent = (weight) => `${(100 * weight).toFixed(weight < 0.1 ? 1 : 0)} %`;
const topicName = (topic, words) => (words.length ? words.slice(0, 4).join(" ") : `topic ${topic}`);

function column(step, { posts, most, heaviest, colours, show }) {
  const bar = make("span", { class: "bar" });
  const parts = Object.values(step.window.topics).flat();
  const whole = parts.reduce((sum, one) => sum + one.weight, 0);
  bar.style.height = `${posts(step) ? 12 + (88 * posts(step)) / most : 2}%`;
  for (const { topic, weight } of parts.sort((a, b) => a.topic - b.topic)) {
    const part = make("i", { "data-colour": colours(topic) });
    part.style.flexGrow = String(weight / whole);
    bar.append(part);
  }
  const dot = make("span", { class: "dot" });
  const size = step.weight ? 5 + 13 * Math.sqrt(step.weight / heaviest) : 0;
  dot.style.width = dot.style.height = `${size}px`;
  const button = make("button", { type: "button", class: step.ago ? "step" : "step open", "aria-label": spoken(step, posts(step)) },
    make("span", { class: "look" }, dot), make("span", { class: "well" }, bar),
    make("span", { class: "gap" }, brief(step.window.gap_seconds)));
  for (const event of ["click", "focus", "pointerenter"]) button.addEventListener(event, () => show(step, button));
  return button;
}

function spoken(step, posts) {
  const when = step.ago ? `${step.ago} steps ago, took ${name(step)}` : "open window";
  return `${when}, ${posts} posts in ${span(step.window.gap_seconds)}${step.weight ? `, attention ${percent(step.weight)}` : ""}`;
}

function details(step, colours) {
  const { window } = step;
  const networks = Object.entries(window.posts).map(([network, posts]) => `${network} ${count(posts)}`).join(", ") || "none";
  const topics = Object.entries(window.topics).flatMap(([network, pairs]) => pairs.map((pair) => ({ network, ...pair })));
  return [
    make("p", {}, step.ago ? make("b", {}, `${step.ago} ${step.ago > 1 ? "steps" : "step"} ago: took ${name(step)}`) : make("b", {}, "Open window, since his last interaction"),
      step.ago ? ` on ${moment(step.at)}. ${ranks(step)}` : "."),
    make("p", {}, `Posts: ${networks}; ${step.ago ? "time since the interaction before" : "time so far"}: ${span(window.gap_seconds)}`,
      step.weight ? `; attention ${percent(step.weight)}` : "", "."),
    topics.length ? make("ul", { class: "weights" }, topics.map(({ network, topic, weight, words }) =>
      make("li", {}, make("i", { "data-colour": colours(topic) }), `${network}: `, make("b", {}, topicName(topic, words)), ` ${weight.toFixed(2)}`))) : null,
  ].filter(Boolean);
}

// ---- the list ----

const terms = (why) => Object.entries(why ?? {}).filter(([, value]) => typeof value === "number");
const moved = (why) => Object.entries(why?.moved ?? {});

const sum = (parts, sign) => parts.reduce((total, [, value]) => total + Math.max(0, sign * value), 0);
const largest = (items, sign) => Math.max(1e-9, ...items.map((entry) => sum(terms(entry.why), sign)));

const MEANING = {
  net: "what his posts and past steps say, through the net",
  trend: "how the item does with everybody: taken lately, age",
  neighbours: "what goes with the items he took",
  texts: "words it shares with them",
  posts: "what people who post like him take",
};

function termsText(items) {
  const names = [...new Set(items.flatMap((entry) => terms(entry.why).map(([term]) => term)))];
  if (!names.length) return "The list does not say how its scores come about.";
  const meant = names.map((term) => (Object.hasOwn(MEANING, term) ? `${term}, ${MEANING[term]}` : term)).join("; ");
  const posts = items.some((entry) => moved(entry.why).length)
    ? " Moved: how much of it goes back to his posts, by network and topic." : "";
  return (names.length === 1 ? `The score is a single term: ${meant}.` : `Each score is the sum of its terms: ${meant}.`) + posts;
}

// What speaks against an item stands left of the line, what speaks for it right, on one scale for the whole list.
function listed(entry, against, inFavour, colours) {
  const parts = terms(entry.why);
  const bar = make("span", { class: "why", "aria-hidden": "true" });
  const piece = (size, attributes) => {
    const part = make("i", attributes);
    part.style.width = `${(100 * size) / (against + inFavour)}%`;
    bar.append(part);
  };
  const places = parts.map(([, value], place) => [value, { "data-term": String(place % TERMS) }]);
  piece(against - sum(parts, -1), {});
  places.filter(([value]) => value < 0).forEach(([value, attributes]) => piece(-value, attributes));
  bar.append(make("i", { class: "zero" }));
  places.filter(([value]) => value >= 0).forEach(([value, attributes]) => piece(value, attributes));
  const said = parts.map(([term, value], place) => make("span", { class: "term" }, make("i", { "data-term": String(place % TERMS) }), `${term} ${signed(value)}`));
  return make("li", {}, make("div", { class: "title" }, make("b", {}, name(entry)), make("span", { class: "score" }, number(entry.score))),
    entry.title ? make("div", { class: "dim id" }, entry.item) : null, parts.length > 1 ? bar : null, parts.length > 1 ? make("div", { class: "said" }, said) : null, moved(entry.why).map(([network, one]) => movedBy(network, one, colours)));
}

function movedBy(network, { by, topics }, colours) {
  const others = by - topics.reduce((total, one) => total + one.by, 0);
  const parts = topics.map((one) => make("span", { class: "term" }, make("i", { "data-colour": colours(one.topic) }),
    make("b", {}, topicName(one.topic, one.words)), ` ${signed(one.by)}`));
  if (Math.abs(others) >= 0.001) parts.push(make("span", { class: "term" }, `other topics ${signed(others)}`));
  return make("div", { class: "said moved" }, make("span", {}, `moved by ${network} ${signed(by)}:`), parts);
}

const number = (value) => (Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(3));
const signed = (value) => `${value < 0 ? "−" : "+"}${number(Math.abs(value))}`;
