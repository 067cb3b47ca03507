// SPDX-License-Identifier: Apache-2.0
// The list: one row for each alarm, kept over changes, so that a storm moves few elements.

import {isGroup} from "./alarms.js";
import {arrange, el, text} from "./dom.js";
import {age, term, w} from "./words.js";

const ROWS_MAX = 1000;
const KINDS_MAX = 3;
const SIGN = {critical: "◆", high: "▲", medium: "■", low: "●"};

export class List {
	constructor(alarms, onChoose)
	{
		this.alarms = alarms;
		this.onChoose = onChoose;
		this.rows = new Map();
		this.opened = new Set();
		this.filter = "";
		this.chosen = null;
		this.shown = [];
		this.node = el("ol.list", {role: "listbox", id: "list", tabIndex: 0});
		this.note = el("p.note");
	}

	draw(nowMs)
	{
		this.groups = this.alarms.groups();
		const all = this.alarms.list(this.filter, this.opened, this.groups);

		this.shown = all.slice(0, ROWS_MAX);
		if (this.chosen !== null && !this.shown.some(data => data.alarm_id === this.chosen))
			this.chosen = null;
		arrange(this.node, this.shown.map(data => this.drawRow(data, nowMs)));
		for (const id of this.rows.keys())
			if (!this.alarms.get(id))
				this.rows.delete(id);
		this.drawNote(all.length);
		this.mark();
	}

	drawNote(n)
	{
		let note = "";

		if (n > ROWS_MAX)
			note = w("more", {n: n - ROWS_MAX});
		else if (n === 0 && this.alarms.ready)
			note = this.filter ? w("no_match") : w("no_alarms");
		text(this.note, note);
	}

	drawRow(data, nowMs)
	{
		let row = this.rows.get(data.alarm_id);

		if (!row) {
			row = this.newRow(data.alarm_id);
			this.rows.set(data.alarm_id, row);
		}
		if (row.data !== data || row.lang !== document.documentElement.lang)
			this.fillRow(row, data);
		// what these say changes without a change of this alarm
		row.node.classList.toggle("member", this.alarms.isMember(data));
		if (isGroup(data))
			this.fillGroup(row, data);
		text(row.age, age(data.raised_time, nowMs));
		return row.node;
	}

	newRow(id)
	{
		const row = {
			sign: el("span.sign", {"aria-hidden": "true"}), severity: el("span.severity"),
			kind: el("span.kind"), count: el("span.count"), age: el("span.age"),
			address: el("div.address"), place: el("div.place"), state: el("span.state"),
			marks: el("span.marks"),
		};

		row.node = el("li.row", {role: "option", id: `alarm-${id}`, dataset: {id},
			onclick: () => this.onChoose(id)},
			el("div.head", row.sign, row.severity, row.kind, row.count, row.age),
			row.address,
			el("div.foot", row.place, row.marks, row.state));
		return row;
	}

	fillRow(row, data)
	{
		const node = row.node;

		row.data = data;
		row.lang = document.documentElement.lang;
		node.dataset.severity = data.severity;
		node.dataset.state = data.state;
		node.classList.toggle("rings", this.alarms.rings(data));
		node.classList.toggle("group", isGroup(data));
		node.classList.toggle("information", !this.alarms.called(data));
		text(row.sign, SIGN[data.severity] || "●");
		text(row.severity, term("severity", data.severity));
		text(row.kind, term("kind", data.kind));
		text(row.count, isGroup(data) ? w("group_count", {n: data.count})
			: data.count > 1 ? w("times", {n: data.count}) : "");
		text(row.address, data.address || data.site_name || data.site);
		if (!isGroup(data))
			text(row.place, [data.door_name || data.door, data.site_name || data.site]
				.filter(Boolean).join(" · "));
		text(row.state, stateWords(data));
		text(row.marks, markWords(data, this.alarms).join(" · "));
	}

	// What is in it, the most frequent first, and how many of them nobody has taken.
	fillGroup(row, data)
	{
		const members = this.groups.get(data.alarm_id) || [];
		const opened = this.opened.has(data.alarm_id);
		const waiting = members.filter(member => this.alarms.rings(member)).length;

		text(row.sign, opened ? "▾" : "▸");
		text(row.place, [data.site_name || data.site, ...kindWords(members)].join(" · "));
		text(row.marks, [waiting && w("group_waiting", {n: waiting}),
			...markWords(data, this.alarms)].filter(Boolean).join(" · "));
	}

	mark()
	{
		for (const data of this.shown) {
			const node = this.rows.get(data.alarm_id).node;
			const chosen = data.alarm_id === this.chosen;

			if (chosen !== (node.getAttribute("aria-selected") === "true"))
				node.setAttribute("aria-selected", chosen);
		}
		if (this.chosen === null)
			this.node.removeAttribute("aria-activedescendant");
		else
			this.node.setAttribute("aria-activedescendant", `alarm-${this.chosen}`);
	}

	choose(id)
	{
		this.chosen = id;
		this.mark();
		const row = this.rows.get(id);

		if (row)
			row.node.scrollIntoView({block: "nearest"});
	}

	// The row so many further down; the first where none is chosen.
	step(by)
	{
		const at = this.shown.findIndex(data => data.alarm_id === this.chosen);
		const to = at < 0 ? 0 : Math.min(Math.max(at + by, 0), this.shown.length - 1);

		return this.shown.length ? this.shown[to].alarm_id : null;
	}

	toggleGroup(id)
	{
		if (!this.opened.delete(id))
			this.opened.add(id);
	}
}

export function stateWords(data)
{
	if (data.state === "acknowledged" && data.stage !== "unspecified")
		return term("stage", data.stage);
	return term("state", data.state);
}

function kindWords(members)
{
	const counts = new Map();

	for (const {kind} of members)
		counts.set(kind, (counts.get(kind) || 0) + 1);
	return [...counts].sort((a, b) => b[1] - a[1]).slice(0, KINDS_MAX)
		.map(([kind, n]) => `${term("kind", kind)} ${w("times", {n})}`);
}

function markWords(data, alarms)
{
	return [
		data.escalation > 0 && w("escalated"),
		data.latched && data.state !== "latched" && w("latched"),
		data.handed_to && w("handed_to", {station: data.handed_to}),
		!alarms.called(data) && w("for_information"),
	].filter(Boolean);
}
