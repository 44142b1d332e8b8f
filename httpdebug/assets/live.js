// Keeps the page up to date in place. Without it the page is complete as of
// when it was loaded. Events tell of items, by the ids of their elements.

const second = 1000;
const silence = 10 * second; // after which a stream counts as broken
const pollEvery = 5 * second;
const longest = 5 * 60 * second; // between two tries of what doesn't work

const bar = document.getElementById("live");
const says = bar.querySelector("[data-says]");
const pauseButton = bar.querySelector("[data-pause]");
const showButton = bar.querySelector("[data-show]");

// Texts

// words says a duration as the server does.
export function words(s) {
	const two = (big, bigName, small, smallName) => {
		const n = Math.floor((s % big) / small);
		return Math.floor(s / big) + bigName + (n ? ` ${n}${smallName}` : "");
	};
	if (s <= 0) return "0s";
	if (s < 1) return Math.max(1, Math.floor(s * 1000)) + "ms";
	if (s < 10) return Math.floor(s * 10) / 10 + "s";
	if (s < 60) return Math.floor(s) + "s";
	if (s < 3600) return two(60, "m", 1, "s");
	if (s < 86400) return two(3600, "h", 60, "m");
	return two(86400, "d", 3600, "h");
}

const clock = () => new Date().toLocaleTimeString([], { hour12: false });

// setText writes only what is new, so that nothing flickers, no selection is
// lost and a screen reader hears each text once.
function setText(e, text) {
	if (e.textContent !== text) e.textContent = text;
}

const ages = new Map(); // by element: how many seconds, since when, and what to say in front

const setAge = (e, seconds, front = "") => ages.set(e, { seconds: Number(seconds), at: performance.now(), front });

function countAges() {
	for (const [e, { seconds, at, front }] of ages) {
		if (!e.closest(".over")) setText(e, front + words(seconds + (performance.now() - at) / second));
	}
}

// Items

let present = new Set(); // ids of items that are not over
let listed; // ids that the page, having no room for all, may not show; or nothing
let program; // another one after a restart
let restarted = false;

// look is called when the page is new.
function look() {
	ages.clear();
	for (const e of document.querySelectorAll("[data-age]")) setAge(e, e.dataset.age);
	listed = undefined;
}

// In the row of a finding texts have their places, for there are hundreds.
// Elsewhere elements bear the names of texts as data-live.
const cellsOf = (item) => (item.matches(".row") ? item : item.querySelector(".row")).children;

const inRow = {
	state: (cells, text) => setState(cells[0].querySelector(".badge"), text),
	proof: (cells, text) => setSmall(cells[0], text),
	count: (cells, text) => setText(cells[1].querySelector("b"), text),
	change: (cells, text) => setSmall(cells[1], text),
	note: (cells, text) => setSmall(cells[3], text),
	age: (cells, text) => setAge([...cells].at(-1).querySelector("b"), text),
	median: (cells, text) => {
		const small = [...cells].at(-1).querySelector("small");
		if (small) setAge(small, text, "median ");
	},
};

function setState(badge, state) {
	badge.classList.remove("leaked", "overdue", "recovered", "open", "over");
	badge.classList.add(state);
	setText(badge, state);
}

// setSmall writes small print, which is there only if it says something.
function setSmall(cell, text) {
	let small = cell.querySelector(":scope > small");
	if (!text) return small?.remove();
	if (!small) cell.append(" ", (small = document.createElement("small")));
	setText(small, text);
}

function setLive(e, text) {
	if (e instanceof HTMLMeterElement) {
		e.value = text;
		e.classList.toggle("full", e.value >= e.max);
		return;
	}
	setText(e, text);
	if (e instanceof HTMLTimeElement) e.dateTime = text.replace(" ", "T").replace(" ", "");
	const box = e.closest("[data-alert]");
	box?.classList.toggle(box.dataset.alert, text !== "0");
}

const isRow = (id) => /^[fo]-/.test(id);

function update(id, texts) {
	const item = document.getElementById(id);
	if (!item) return;
	item.classList.remove("over");
	for (const [name, text] of Object.entries(texts)) {
		if (name === "title") document.title = text;
		if (isRow(id)) inRow[name]?.(cellsOf(item), text);
		for (const e of item.querySelectorAll(`[data-live="${name}"]`)) setLive(e, text);
	}
}

// end marks an item as over. It stays where it is: someone may be reading it.
function end(id) {
	present.delete(id);
	const item = document.getElementById(id);
	if (!item) return;
	if (isRow(id)) inRow.state(cellsOf(item), "over");
	item.classList.add("over");
}

function apply(event) {
	if (event.full) {
		restarted ||= program !== undefined && program !== event.process;
		program = event.process;
		for (const e of document.querySelectorAll("main [id]")) {
			if (/^[foprx]-/.test(e.id) && !(e.id in event.items)) end(e.id);
		}
		present = new Set();
	}
	for (const [id, texts] of Object.entries(event.items)) {
		present.add(id);
		update(id, texts);
	}
	for (const id of event.over ?? []) end(id);
	if (!listed) listed = new Set(document.querySelector("main").dataset.partial === undefined ? [] : present);
	countAges();
	offer();
}

// unseen are the ids of what is in trouble and not on the page; and of pools, if
// it has none.
function unseen() {
	const wanted = document.querySelector(".pools") ? /^[fxr]-/ : /^[fxrp]-/;
	return [...present].filter((id) => wanted.test(id) && !listed?.has(id) && !document.getElementById(id));
}

function offer() {
	const n = unseen().length;
	for (const e of document.querySelectorAll("[data-none]")) e.hidden = n > 0; // it says that there is nothing
	showButton.hidden = n === 0 && !restarted;
	setText(showButton, restarted ? "started anew, show" : `${n} new, show`);
}

// Showing what is new

// show swaps the page for the present one. What is unfolded stays so, and the
// eye finds its place again.
async function show() {
	const fresh = unseen();
	const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
	if (!answer.ok) throw new Error(answer.status);
	const next = new DOMParser().parseFromString(await answer.text(), "text/html");
	const main = document.querySelector("main");
	const form = main.querySelector("form[role=search]"); // keeps what was typed into it
	if (form) next.querySelector("main form[role=search]")?.replaceWith(form);
	const unfolded = [...main.querySelectorAll("details[open]")];
	const anchor = [...main.querySelectorAll("[id]")].find((e) => e.getBoundingClientRect().top >= 0);
	const top = anchor?.getBoundingClientRect().top;
	for (const part of ["header", "main", "footer"]) {
		document.querySelector(part).replaceWith(next.querySelector(part));
	}
	document.title = next.title;
	restarted = false;
	look();
	for (const old of unfolded) {
		const e = document.getElementById(old.id);
		if (e?.matches("details")) e.open = true;
		else e?.replaceWith(old); // further down the page has links only
	}
	for (const id of fresh) document.getElementById(id)?.classList.add("new");
	if (pausedSince) pausedSince = clock();
	start();
	const moved = anchor && document.getElementById(anchor.id)?.getBoundingClientRect().top;
	if (moved !== undefined) scrollBy(0, moved - top);
	if (document.activeElement === showButton) pauseButton.focus({ preventScroll: true });
	offer();
}

// Listening

let source, timer, ticking; // of which at most one listens
let round = 0; // counts starts, so that a late answer is known as such
let pausedSince, lostSince;
let wait = 30 * second; // until the next try to stream
let streamAt = 0; // when that is, by performance.now

function stop() {
	round++;
	source?.close();
	clearTimeout(timer);
	clearInterval(ticking);
}

function start() {
	stop();
	if (pausedSince) return setText(says, "paused since " + pausedSince);
	if (document.hidden) return;
	ticking = setInterval(countAges, second);
	if (performance.now() >= streamAt) stream();
	else poll(pollEvery);
}

function stream() {
	source = new EventSource("events" + location.search);
	timer = setTimeout(broken, silence);
	source.onmessage = (message) => {
		clearTimeout(timer);
		timer = setTimeout(broken, silence);
		lostSince = undefined;
		wait = 30 * second;
		apply(JSON.parse(message.data));
		setText(says, "live");
	};
	// At the end of a stream the browser asks for the next by itself, unless it
	// was refused.
	source.onerror = () => source.readyState === EventSource.CLOSED && broken();
}

// broken falls back to polling, for a while.
function broken() {
	streamAt = performance.now() + wait;
	wait = Math.min(2 * wait, longest);
	start();
}

async function poll(every) {
	const mine = round;
	try {
		const answer = await fetch("events" + location.search, { headers: { Accept: "application/json" } });
		if (!answer.ok) throw new Error(answer.status);
		const event = await answer.json();
		if (mine !== round) return;
		apply(event);
		setText(says, `asks every ${pollEvery / second}s`);
		if (lostSince) streamAt = 0; // it is back, perhaps as another
		timer = setTimeout(start, lostSince ? 0 : pollEvery);
		lostSince = undefined;
	} catch {
		if (mine !== round) return;
		clearInterval(ticking); // nobody knows
		lostSince ??= clock();
		setText(says, "no answer since " + lostSince);
		timer = setTimeout(poll, every, Math.min(2 * every, 30 * second));
	}
}

// The page

function reveal() {
	const e = location.hash && document.getElementById(location.hash.slice(1));
	for (let d = e && e.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
}

pauseButton.addEventListener("click", () => {
	pausedSince = pausedSince ? undefined : clock();
	setText(pauseButton, pausedSince ? "Resume" : "Pause");
	bar.classList.toggle("paused", pausedSince !== undefined);
	start();
});
showButton.addEventListener("click", () => show().catch(broken));
document.addEventListener("visibilitychange", start);
window.addEventListener("hashchange", reveal);

look();
reveal();
setText(says, "connecting");
bar.hidden = false;
start();
