// SPDX-License-Identifier: Apache-2.0
// One alarm in full: where it is in large letters, what can be done, what was done, and
// the records behind it.

import {isGroup, verbs} from "./alarms.js";
import {el, text} from "./dom.js";
import {get} from "./server.js";
import {stateWords} from "./list.js";
import {clock, moment, term, w} from "./words.js";

export const KEYS = {accept: "a", reject: "r", dispatched: "d", on_scene: "o", close: "c",
	cancel: "x", comment: "m", hand_over: "h", shelve: "s", unshelve: "s", reset: "u",
	out_of_service: "t", in_service: "t"};

const MEMBERS_MAX = 200;
const STORED_AFTER_MS = 700;
const RETRY_MS = 2000;
const NOT_STORED = 204; // it stands, and the database has not heard of it

export class Detail {
	constructor(alarms, {onVerb, onBack, onGroup, onMember})
	{
		Object.assign(this, {alarms, onVerb, onBack, onGroup, onMember});
		this.node = el("section.detail", {"aria-live": "off"});
		this.id = null;
		this.stored = null;  // what PostgreSQL says of it
		this.drawn = null;   // the change that is shown
	}

	show(id)
	{
		if (this.id === id)
			return;
		this.id = id;
		this.node.scrollTop = 0;
		this.last = null;
		this.stored = null;
		this.problem = null;
		this.drawn = null;
		clearTimeout(this.loading);
		this.load();
	}

	async load()
	{
		const id = this.id;

		if (id === null)
			return;
		try {
			const stored = await get(`alarms/${id}`);

			if (this.id === id)
				Object.assign(this, {stored, problem: stored ? null : NOT_STORED, drawn: null});
		} catch (refused) {
			if (this.id === id)
				Object.assign(this, {problem: refused.status, drawn: null});
		}
		this.draw();
		// not stored yet, or the database is away: it comes
		if (this.problem && this.id === id && this.alarms.get(id))
			this.loadLater(RETRY_MS);
	}

	// For another reason than that it is not stored yet.
	failed()
	{
		return this.problem && this.problem !== NOT_STORED && this.problem !== 404;
	}

	loadLater(ms)
	{
		clearTimeout(this.loading);
		this.loading = setTimeout(() => this.load(), ms);
	}

	draw()
	{
		const data = this.id === null ? null : this.alarms.get(this.id) || this.over();
		const now = data === null ? "" : `${data.position} ${document.documentElement.lang} ` +
			this.alarms.members(this.id).map(member => member.position).join();

		if (this.drawn === now)
			return;
		if (data !== null && this.last && this.last.position !== data.position)
			// what was done is stored in a moment
			this.loadLater(STORED_AFTER_MS);
		this.drawn = now;
		this.last = data;
		this.node.replaceChildren(...(data === null ? [el("p.note", w("choose"))] : this.parts(data)));
	}

	// One that has ended while it was shown.
	over()
	{
		const history = this.alarms.history.get(this.id);

		return history ? history[history.length - 1] : this.last;
	}

	parts(data)
	{
		return [
			el("button.back", {type: "button", onclick: this.onBack}, `‹ ${w("back")}`),
			el("header", {dataset: {severity: data.severity}},
				el("h2", term("kind", data.kind),
					isGroup(data) ? ` · ${w("group_count", {n: data.count})}`
						: data.count > 1 ? ` ${w("times", {n: data.count})}` : ""),
				el("p.big", data.address || data.site_name || data.site),
				el("p.where", [data.door_name || data.door, data.site_name].filter(Boolean)
					.join(" · ")),
				el("p.what", `${term("severity", data.severity)} · ${stateWords(data)}`,
					data.silent ? el("strong.silent", w("silent")) : null)),
			this.buttons(data),
			this.group(data),
			this.facts(data),
			this.conversation(data),
			this.records(),
			this.plan(data),
		].filter(Boolean);
	}

	buttons(data)
	{
		if (data.state === "normal")
			return null;
		return el("div.verbs", {role: "toolbar"}, verbs(data).map((verb, i) =>
			el(i === 0 ? "button.primary" : "button", {type: "button", dataset: {verb},
				onclick: () => this.onVerb(verb)},
			el("kbd", KEYS[verb]), ` ${term("verb", verb)}`)));
	}

	group(data)
	{
		const members = this.alarms.members(data.alarm_id);

		if (this.alarms.isMember(data))
			return el("p.in-group", w("in_group"), " ",
				el("button", {type: "button", onclick: () => this.onGroup(data.alarm_id)},
					el("kbd", "e"), ` ${w("close_group")}`));
		if (!isGroup(data))
			return null;
		return el("section.group", el("h3", w("members", {n: members.length})),
			el("ol.members", members.slice(0, MEMBERS_MAX).map(member => this.member(member))),
			members.length > MEMBERS_MAX
				? el("p.note", w("more", {n: members.length - MEMBERS_MAX})) : null);
	}

	member(data)
	{
		return el("li", el("button", {type: "button", dataset: {severity: data.severity},
			onclick: () => this.onMember(data.alarm_id)},
			el("time", moment(data.raised_time)), el("b", term("kind", data.kind)),
			el("span", data.door_name || data.door || data.controller),
			el("span.state", stateWords(data))));
	}

	facts(data)
	{
		const facts = [
			["site", [data.site_name, data.site].filter(Boolean).join(" — ")],
			["door", data.door], ["area", data.area], ["controller", data.controller],
			["happened", moment(data.device_time)], ["received", moment(data.received_time)],
			["cleared", data.cleared_time ? moment(data.cleared_time) : w("stands")],
			["acknowledged_by", data.acknowledged_by],
			["shelved_until", data.shelved_until && moment(data.shelved_until)],
			["called", data.called.join(", ")], ["raw_code", data.raw_code],
		];

		return el("dl.facts", facts.filter(([, value]) => value).flatMap(([key, value]) =>
			[el("dt", w(key)), el("dd", value)]));
	}

	// What PostgreSQL has, and behind it what came since.
	changes()
	{
		const stored = (this.stored && this.stored.changes) || [];
		const last = stored.length ? stored[stored.length - 1].position : 0;
		const heard = (this.alarms.history.get(this.id) || [])
			.filter(change => change.position > last);

		return [...stored, ...heard];
	}

	conversation(data)
	{
		const changes = this.changes();
		const note = this.failed() ? el("p.note", w("no_history")) : null;

		return el("section", el("h3", w("conversation")), note,
			el("ol.changes", changes.map((change, i) => changeItem(change, changes[i - 1], data))));
	}

	records()
	{
		const records = this.stored && this.stored.records;

		if (this.failed())
			return null;
		return el("section", el("h3", w("records")), records && records.length
			? el("ol.records", records.map(record => el("li",
				el("time", moment(record.device_time)), " ",
				term("kind", record.kind), record.door ? ` · ${record.door}` : "",
				record.raw_code ? ` · ${record.raw_code}` : "",
				record.clock_was_off ? ` · ${w("clock_off")}` : "")))
			: el("p.note", w("no_records")));
	}

	// Shown when there is one; asked for once, and kept while alarms of that site are looked at.
	plan(data)
	{
		if (!this.site || this.site.code !== data.site) {
			const path = `/api/v1/plans/${encodeURIComponent(data.site)}`;
			const heading = el("h3"), image = el("img");
			const node = el("section.plan", {hidden: true}, heading, image);

			image.addEventListener("load", () => node.hidden = false);
			this.site = {code: data.site, node, heading, image};
			hasPlan(path).then(has => has && (image.src = path));
		}
		text(this.site.heading, w("plan"));
		this.site.image.alt = w("plan");
		return this.site.node;
	}
}

async function hasPlan(path)
{
	try {
		return (await fetch(path, {method: "HEAD"})).status === 200;
	} catch (problem) {
		return false; // no network: the page says so elsewhere
	}
}

function changeWords(change, before)
{
	if (change.verb)
		return term("verb", change.verb);
	if (!before)
		return w("was_raised");
	return change.cleared_time && !before.cleared_time ? w("condition_over") : w("reported_again");
}

function changeItem(change, before)
{
	const person = change.operator || change.actor;
	// who took a group took what was in it: the server did that, in his name
	const who = !change.by_server ? person
		: person ? `${person} · ${w("with_group")}` : w("server");
	const more = [
		change.reject_reason && term("reject", change.reject_reason),
		change.outcome && term("outcome", change.outcome),
		change.handed_to && change.verb === "hand_over" && change.handed_to,
		change.shelved_until && ["shelve", "out_of_service"].includes(change.verb) &&
			`${w("shelved_until")} ${clock(change.shelved_until)}`,
	].filter(Boolean).join(" · ");

	return el("li",
		el("time", moment(change.acted_time || change.durable_time)), " ",
		el("b", changeWords(change, before)),
		who ? ` · ${who}` : "", more ? ` · ${more}` : "",
		change.text ? el("q", change.text) : null);
}
