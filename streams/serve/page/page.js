// The live page: one stream of frames, figures above, lists as they arrive, one user at a time.

import { Chart, MEASURES } from "./chart.js";
import { count, make, moment, rate, share, span } from "./dom.js";
import { personView } from "./person.js";

const FEED = 40, NEW_AT_ONCE = 3;
const $ = (id) => document.getElementById(id);
const chart = new Chart($("chart"));
let retry = 1000, held = false, user = null, loaded = 0, asked = 0;

// ---- theme ----

const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
}
setTheme(sessionStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  sessionStorage.setItem("theme", theme);
  setTheme(theme);
});

// ---- asking ----

function ask(path, options = {}) {
  const token = sessionStorage.getItem("token");
  return fetch(path, { ...options, headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("secret").value.trim());
  $("token").hidden = true;
  listen();
});

function say(state, text) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").dataset.state = state;
}

// ---- the stream ----

async function listen() {
  try {
    const answer = await ask("/live");
    if (answer.status === 401) {
      $("token").hidden = false;
      $("secret").focus();
      return say("bad", "a token is needed");
    }
    if (!answer.ok) throw new Error((await answer.json()).message);
    retry = 1000;
    for await (const [event, data] of frames(answer.body)) (event === "start" ? start : tick)(JSON.parse(data));
    say("bad", "the server has ended the stream; trying again");
  } catch (error) {
    say("bad", `no connection: ${error.message}; trying again`);
  }
  setTimeout(listen, retry);
  retry = Math.min(10000, retry * 2);
}

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const whole = text.split("\n\n");
    text = whole.pop();
    for (const one of whole) {
      const [event, data] = one.split("\n");
      yield [event.slice(7), data.slice(6)];
    }
  }
}

function start(frame) {
  chart.restart(frame.curve);
  $("feed").replaceChildren();
  frame.lists.forEach(enter);
  figures(frame);
  if (user) show(user);
}

function tick(frame) {
  if (!held) frame.lists.slice(-NEW_AT_ONCE).forEach(enter);
  figures(frame);
  // Not under the hands of whoever moves through it by keyboard.
  if (user && frame.lists.some((one) => one.user === user) && !$("person-body").contains(document.activeElement)) show(user);
}

// ---- figures ----

function figures(frame) {
  say(frame.ready ? "good" : "bad", frame.ready ? "up to date" : frame.trouble);
  const { accuracy } = frame;
  const letters = Object.values(frame.dead_letters.by_reason).reduce((sum, one) => sum + one, 0);
  $("tiles").replaceChildren(
    tile("HR@10", share(accuracy["scored_hr@10"]), against(accuracy, "hr@10")),
    tile("NDCG@10", share(accuracy["scored_ndcg@10"]), against(accuracy, "ndcg@10")),
    tile("lists a second", rate(frame.lists_per_second), `${count(frame.lists_read)} read`),
    tile("events a second", rate(frame.records_per_second), frame.lag === null ? "no worker known" : `${count(frame.lag)} to go`, frame.lag > 10000 ? "bad" : ""),
    tile("dead letters", count(letters), letters ? Object.keys(frame.dead_letters.by_reason).join(", ") : "none", letters ? "warn" : ""),
    tile("users", count(frame.users), `${count(frame.items)} items`),
  );
  $("accuracy-note").textContent = accuracy.events
    ? `Each interaction is ranked before it is learned; means of the last ${count(Math.min(accuracy.events, accuracy.window))} of ${count(accuracy.events)} interactions.` : "";
  chart.add(accuracy);
  $("letters").hidden = !letters;
  $("letters").querySelector("ul").replaceChildren(...frame.dead_letters.newest.slice(0, 8).map((one) =>
    make("li", {}, make("b", {}, one.reason), ` ${one.error} `, make("span", { class: "dim" }, one.source))));
}

function against(accuracy, measure) {
  const [ours, base] = [accuracy[`scored_${measure}`], accuracy[`popularity_${measure}`]];
  if (!base) return "popularity –";
  return `${(ours / base).toFixed(2)} × popularity, ${share(base)}`;
}

function tile(label, value, note, state = "") {
  return make("div", { class: "tile", "data-state": state }, make("span", { class: "label" }, label), make("b", {}, value), make("span", { class: "dim" }, note));
}

for (const [measure, label] of Object.entries(MEASURES)) {
  const choose = () => { chart.measure = measure; chart.draw(); };
  $("measure").append(make("label", {}, make("input", { type: "radio", name: "measure", value: measure, checked: measure === chart.measure, onchange: choose }), make("span", {}, label)));
}

// ---- lists ----

function enter(one) {
  const what = one.last ? ["took ", make("b", {}, one.last.title || one.last.item), verdict(one.last)] : [one.trigger === "post" ? "has posted" : "starts"];
  const next = one.items.map((item) => item.title || item.item).join(" · ");
  $("feed").prepend(make("li", {}, make("a", { href: `#user/${encodeURIComponent(one.user)}` },
    make("span", { class: "who" }, one.user, make("time", { datetime: new Date(one.at).toISOString() }, moment(one.at))),
    make("span", { class: "what" }, what), make("span", { class: "next" }, next || "an empty list"))));
  while ($("feed").children.length > FEED) $("feed").lastChild.remove();
  $("feed-empty").hidden = true;
}

function verdict(last) {
  const rank = last.rank_published;
  return make("span", { class: "verdict", "data-hit": rank && rank <= 10 ? "yes" : rank ? "near" : "no" }, rank ? `${count(rank)} on his list` : "not on his list");
}

function hold(state) {
  held = state;
  $("pause").setAttribute("aria-pressed", String(state));
  $("pause").textContent = state ? "Go on" : "Pause";
}
$("pause").addEventListener("click", () => hold(!held));

// ---- one user ----

async function show(name) {
  const mine = ++asked;
  const path = encodeURIComponent(name);
  // Asked first, because it knows an answer for everybody.
  const list = await answered(`/recommendations/${path}?n=20`);
  const body = list?.fallback === false ? await answered(`/users/${path}`) : null;
  if (mine !== asked) return;
  $("person-title").textContent = name;
  $("person").dataset.chosen = "yes";
  if (body) {
    loaded = Date.now() - 1000 * body.age_seconds;
    $("person-body").replaceChildren(...personView(body));
  } else {
    $("person-body").replaceChildren(...stranger(list));
  }
}

async function answered(path) {
  try {
    const answer = await ask(path);
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function stranger(list) {
  if (!list) return [make("p", { class: "dim" }, "No answer about this user.")];
  return [make("p", { class: "dim" }, "Nothing is known of this user. What is popular:"),
    make("ol", { class: "list" }, list.items.map((one) => make("li", {}, one.title || one.item)))];
}

async function follow() {
  const found = location.hash.match(/^#user\/(.+)$/);
  if (!found) return;
  let name = found[1];
  try {
    name = decodeURIComponent(name);
  } catch {
    // Not encoded: a name with a percent sign, typed into the address.
  }
  user = name;
  await show(user);
  $("person-title").focus({ preventScroll: true });
  $("person").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}
addEventListener("hashchange", follow);
$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = `#user/${encodeURIComponent($("who").value)}`;
});
setInterval(() => {
  const age = $("age");
  if (age) age.textContent = span((Date.now() - loaded) / 1000);
}, 1000);

follow();
listen();
