// SPDX-License-Identifier: Apache-2.0
// The page: signing in, the bar, the keyboard, and which view is shown.

import {Alarms, isGroup, verbs} from "./alarms.js";
import {ask} from "./ask.js";
import {Detail, KEYS} from "./detail.js";
import {el, text} from "./dom.js";
import {showKeys} from "./keys.js";
import {List} from "./list.js";
import {Overview} from "./overview.js";
import {post, session, signInByCertificate, signInByLink, signOut} from "./server.js";
import {Sound} from "./sound.js";
import {Stream} from "./stream.js";
import {chooseLanguage, clock, language, term, w} from "./words.js";

const SHOWN_AFTER_MS = 250;
const SHOWN_AT_ONCE = 64;
const TOAST_MS = 6000;

class Page {
	constructor(who)
	{
		this.who = who;
		this.alarms = new Alarms(who.station);
		this.list = new List(this.alarms, id => this.click(id));
		this.detail = new Detail(this.alarms, {
			onVerb: verb => this.act(verb),
			onBack: () => this.showDetail(false),
			onGroup: id => this.toggleGroup(id),
			onMember: id => this.chooseMember(id),
		});
		this.overview = new Overview(this.alarms);
		this.sound = new Sound(() => this.drawBar());
		this.state = {server: "connecting", daemon: true, since: new Date()};
		this.toShow = new Map();
		this.build();
		this.stream = new Stream({
			on: events => this.take(events),
			onState: connected => this.setServer(connected),
			onSignedOut: () => start(),
		});
		this.ticker = setInterval(() => this.draw(), 1000);
		this.onKey = event => this.key(event);
		addEventListener("keydown", this.onKey);
	}

	end()
	{
		this.stream.stop();
		clearInterval(this.ticker);
		removeEventListener("keydown", this.onKey);
		this.sound.end();
	}

	// ---- What is on it --------------------------------------------------------------

	build()
	{
		const button = (name, onclick) => el("button", {type: "button", onclick,
			dataset: {name}});

		this.bar = {
			station: el("strong.station"), unanswered: el("span.unanswered"),
			open: el("span.open"), link: el("span.link", {role: "status"}), clock: el("time"),
			view: button("view", () => this.toggleView()),
			sound: button("sound", () => this.sound.toggle()),
			theme: button("theme", () => this.toggleTheme()),
			language: button("language", () => this.toggleLanguage()),
			help: button("help", () => this.help()),
			out: button("out", () => this.signOut()),
		};
		this.search = el("input.search", {type: "search", autocomplete: "off",
			oninput: () => this.look(this.search.value)});
		this.toast = el("div.toast", {role: "status", hidden: true});
		this.main = el("main", el("div.side", this.search, this.list.node, this.list.note),
			this.detail.node);
		document.getElementById("app").replaceChildren(
			el("header.bar", this.bar.station, this.bar.unanswered, this.bar.open, this.bar.link,
				el("span.space"), this.bar.clock, this.bar.view, this.bar.sound,
				this.bar.theme, this.bar.language, this.bar.help, this.bar.out),
			this.main, this.overview.node, this.toast);
		this.showView("alarms");
		this.draw();
	}

	draw()
	{
		this.drawBar();
		if (this.view === "alarms") {
			this.list.draw(Date.now());
			this.detail.show(this.list.chosen);
			this.detail.draw();
		}
	}

	// After events: once for all that came in this frame.
	drawSoon()
	{
		if (this.drawing)
			return;
		this.drawing = true;
		requestAnimationFrame(() => {
			this.drawing = false;
			this.draw();
		});
		// a page that is not seen gets no frames, but rings and has a title
		if (document.hidden)
			this.drawBar();
	}

	drawBar()
	{
		const unanswered = this.alarms.unanswered();

		text(this.bar.station, this.who.station);
		text(this.bar.unanswered, unanswered ? w("unanswered", {n: unanswered})
			: w("none_unanswered"));
		this.bar.unanswered.dataset.any = unanswered > 0;
		text(this.bar.open, w("open", {n: this.alarms.map.size}));
		text(this.bar.clock, clock(Date.now()));
		text(this.bar.view, this.view === "alarms" ? w("overview") : w("title"));
		text(this.bar.sound, this.sound.blocked ? w("sound_blocked")
			: this.sound.on ? w("sound_on") : w("sound_off"));
		text(this.bar.theme, document.documentElement.dataset.theme === "night" ? w("day") : w("night"));
		text(this.bar.language, w("language"));
		text(this.bar.help, `? ${w("help")}`);
		text(this.bar.out, w("sign_out"));
		this.search.placeholder = `${w("filter")} (/)`;
		this.search.setAttribute("aria-label", w("filter"));
		this.list.node.setAttribute("aria-label", w("title"));
		this.drawLink();
		document.title = `${unanswered ? `(${unanswered}) ` : ""}${w("title")} · ${this.who.station}`;
		this.sound.set(this.alarms.loudest());
	}

	drawLink()
	{
		const {server, daemon, since} = this.state;
		const words = server === "connecting" ? w("connecting") : server === "lost" ? w("no_server")
			: daemon ? w("connected") : w("no_daemon");
		const good = server === "connected" && daemon;

		this.bar.link.dataset.state = good ? "good" : server === "connecting" ? "wait" : "bad";
		text(this.bar.link, good || server === "connecting" ? words
			: `${words} ${w("since", {time: clock(since)})}`);
	}

	// ---- What comes -----------------------------------------------------------------

	take(events)
	{
		for (const event of events)
			if (event.name === "state")
				this.setDaemon(event.data.connected);
			else if (event.name === "keepalive")
				this.overview.noteEnd(event.node, event.data.position);
		const fresh = this.alarms.take(events);

		for (const event of events)
			if (event.name === "alarm")
				this.noteShown(event.data);
		if (fresh.length)
			this.announce(fresh[fresh.length - 1]);
		this.drawSoon();
	}

	announce(data)
	{
		text(document.getElementById("announce"), `${w("new_alarm")}: ${term("kind", data.kind)}, ` +
			`${data.address || data.site_name}`);
	}

	setServer(connected)
	{
		const server = connected ? "connected" : this.state.server === "connecting" ? "connecting"
			: "lost";

		if (server !== this.state.server)
			this.state = {...this.state, server, since: new Date()};
		this.drawBar();
	}

	setDaemon(daemon)
	{
		if (daemon !== this.state.daemon)
			this.state = {...this.state, daemon, since: new Date()};
	}

	// The server keeps how long it took until an alarm was on a screen.
	noteShown(data)
	{
		if (document.hidden || data.shown_time !== null || !this.alarms.rings(data))
			return;
		this.toShow.set(data.alarm_id, data.change);
		if (!this.showing)
			this.showing = setTimeout(() => this.sayShown(), SHOWN_AFTER_MS);
	}

	async sayShown()
	{
		const alarms = [...this.toShow].slice(0, SHOWN_AT_ONCE)
			.map(([alarm_id, change]) => ({alarm_id, change}));

		for (const {alarm_id} of alarms)
			this.toShow.delete(alarm_id);
		this.showing = this.toShow.size ? setTimeout(() => this.sayShown(), SHOWN_AFTER_MS) : null;
		try {
			await post("alarms/shown", {alarms});
		} catch (refused) {
			// a figure that is missing: nothing that a dispatcher could mend
		}
	}

	// ---- What is done ---------------------------------------------------------------

	choose(id, show)
	{
		this.list.choose(id);
		this.detail.show(id);
		this.detail.draw();
		if (show)
			this.showDetail(true);
	}

	// A group opens with the click that chooses it, and each further one folds or unfolds it.
	click(id)
	{
		if (isGroup(this.alarms.get(id)) && (this.list.chosen === id || !this.list.opened.has(id)))
			this.toggleGroup(id);
		this.choose(id, true);
	}

	chooseMember(id)
	{
		const data = this.alarms.get(id);

		if (this.alarms.isMember(data))
			this.openGroup(data.group_id);
		this.choose(id, true);
	}

	openGroup(id)
	{
		if (!this.list.opened.has(id))
			this.toggleGroup(id);
	}

	showDetail(shown)
	{
		this.main.classList.toggle("with-detail", shown);
		if (!shown)
			this.list.node.focus();
	}

	look(filter)
	{
		this.list.filter = filter.trim();
		this.list.draw(Date.now());
	}

	// That of a group, or of what is in one.
	toggleGroup(id)
	{
		const data = this.alarms.get(id);

		if (this.alarms.isMember(data)) {
			this.toggleGroup(data.group_id);
			this.choose(data.group_id, false);
		} else if (isGroup(data)) {
			this.list.toggleGroup(id);
			this.list.draw(Date.now());
			this.detail.draw();
		}
	}

	async act(verb)
	{
		const id = this.list.chosen;
		const data = id === null ? null : this.alarms.get(id);

		if (!data || !verbs(data).includes(verb))
			return;
		const answers = await ask(verb, data);

		if (answers === null)
			return;
		try {
			await post(`alarms/${id}/actions`, {verb, seen_change: data.change, ...answers});
		} catch (refused) {
			this.say(this.refusalWords(refused));
		}
	}

	refusalWords(refused)
	{
		const {by, at, detail} = refused.body || {};

		if (refused.status === 504)
			return w("unknown_done");
		if (by && at)
			return `${w("not_done")}: ${w("overtaken", {by, time: clock(at)})}`;
		return `${w("not_done")}: ${detail || refused.message}`;
	}

	say(words)
	{
		text(this.toast, words);
		this.toast.hidden = false;
		clearTimeout(this.toastTimer);
		this.toastTimer = setTimeout(() => this.toast.hidden = true, TOAST_MS);
	}

	showView(view)
	{
		this.view = view;
		this.main.hidden = view !== "alarms";
		this.overview.show(view === "overview");
	}

	toggleView()
	{
		this.showView(this.view === "alarms" ? "overview" : "alarms");
		this.draw();
	}

	toggleTheme()
	{
		setTheme(document.documentElement.dataset.theme === "night" ? "day" : "night");
		this.overview.redraw();
		this.draw();
	}

	toggleLanguage()
	{
		chooseLanguage(language === "en" ? "zh" : "en");
		localStorage.setItem("language", language);
		this.overview.redraw();
		this.draw();
	}

	async signOut()
	{
		try {
			await signOut();
		} finally {
			start();
		}
	}

	// ---- The keyboard ---------------------------------------------------------------

	help()
	{
		showKeys([["j k", w("key_next")], ["Enter", w("key_open")], ["/", w("key_search")],
			["e", w("key_group")],
			...Object.entries(KEYS).map(([verb, key]) => [key, term("verb", verb)]),
			["v", w("key_view")], ["n", w("key_night")], ["l", w("key_language")],
			["q", w("key_sound")], ["Esc", w("key_close")], ["?", w("key_help")]]);
	}

	key(event)
	{
		if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog"))
			return;
		if (event.target === this.search) {
			this.searchKey(event);
			return;
		}
		const verb = Object.keys(KEYS).find(one => KEYS[one] === event.key && this.can(one));

		if (this.moveKey(event.key) || this.viewKey(event.key) || verb) {
			event.preventDefault();
			if (verb)
				this.act(verb);
		}
	}

	can(verb)
	{
		const data = this.list.chosen === null ? null : this.alarms.get(this.list.chosen);

		return this.view === "alarms" && data && verbs(data).includes(verb);
	}

	searchKey(event)
	{
		if (event.key === "Escape") {
			this.search.value = "";
			this.look("");
		}
		if (event.key === "Escape" || event.key === "Enter") {
			event.preventDefault();
			this.list.node.focus();
			if (this.list.chosen === null && this.list.step(0) !== null)
				this.choose(this.list.step(0), false);
		}
	}

	moveKey(key)
	{
		const by = {j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10,
			Home: -Infinity, End: Infinity}[key];

		if (this.view !== "alarms")
			return false;
		if (by !== undefined) {
			const id = this.list.step(by);

			if (id !== null)
				this.choose(id, false);
			return true;
		}
		if (key === "Enter" && this.list.chosen !== null &&
		    !["BUTTON", "A"].includes(document.activeElement.tagName)) {
			if (isGroup(this.alarms.get(this.list.chosen)))
				this.openGroup(this.list.chosen);
			this.showDetail(true);
			return true;
		}
		if (key === "e" && this.list.chosen !== null) {
			this.toggleGroup(this.list.chosen);
			return true;
		}
		return false;
	}

	viewKey(key)
	{
		const call = {
			"/": () => this.search.focus(), "v": () => this.toggleView(),
			"n": () => this.toggleTheme(), "l": () => this.toggleLanguage(),
			"q": () => this.sound.toggle(), "?": () => this.help(),
			"Escape": () => this.showDetail(false),
		}[key];

		if (call)
			call();
		return call !== undefined;
	}
}

// ---- Before and after -------------------------------------------------------------------

function setTheme(theme)
{
	document.documentElement.dataset.theme = theme;
	localStorage.setItem("theme", theme);
}

function showSignIn(problem)
{
	document.title = `${w("sign_in")} · Gatehouse`;
	document.getElementById("app").replaceChildren(el("main.sign-in",
		el("h1", "Gatehouse"),
		problem ? el("p.problem", {role: "alert"}, problem) : null,
		el("p", w("sign_in_link")),
		el("button.primary", {type: "button", onclick: byCertificate}, w("sign_in_certificate")),
		el("button", {type: "button", dataset: {name: "language"}, onclick: () => {
			chooseLanguage(language === "en" ? "zh" : "en");
			localStorage.setItem("language", language);
			showSignIn(problem && w("link_refused"));
		}}, w("language"))));
}

async function byCertificate()
{
	let who;

	try {
		who = await signInByCertificate();
	} catch (refused) {
		showSignIn(`${w("refused")}: ${refused.message}`);
		return;
	}
	open(who);
}

let page = null;

function open(who)
{
	if (page)
		page.end();
	page = new Page(who);
}

// The link's secret stands behind the #, and goes before anything else is done.
function takeSecret()
{
	const found = /^#login=([0-9a-f]{64})$/.exec(location.hash);

	if (location.hash)
		history.replaceState(null, "", "/");
	return found && found[1];
}

async function start()
{
	const secret = takeSecret();

	if (page)
		page.end();
	page = null;
	let who = null, problem = null;

	try {
		who = secret ? await signInByLink(secret) : await session();
	} catch (refused) {
		problem = secret ? w("link_refused") : refused.message;
	}
	if (who)
		open(who);
	else
		showSignIn(problem);
}

chooseLanguage(localStorage.getItem("language") ||
	(navigator.language.startsWith("zh") ? "zh" : "en"));
setTheme(localStorage.getItem("theme") ||
	(matchMedia("(prefers-color-scheme: dark)").matches ? "night" : "day"));
addEventListener("hashchange", start);
start();
