// SPDX-License-Identifier: Apache-2.0
// The overview: figures of the station's sites, and of the whole database.  Asks every few
// seconds while it is shown; what PostgreSQL does not answer stays as it was, with its age.

import {el} from "./dom.js";
import {get} from "./server.js";
import {clock, term, w} from "./words.js";
import uPlot from "/vendor/uPlot.esm.js";

const EVERY_MS = 5000;
const SAMPLES_MAX = 720; // an hour
const CHART_HEIGHT = 220;
const WHOLE = [1, 2, 5].flatMap(n => [1, 10, 100, 1e3, 1e4, 1e5, 1e6].map(m => n * m))
	.sort((a, b) => a - b);
const STATES = ["unacknowledged", "acknowledged", "returned_unacknowledged", "latched", "shelved",
	"out_of_service"];

// Null: nothing of that kind has happened.
function seconds(list)
{
	return list[0] === null ? "–"
		: list.map(s => s < 10 ? s.toFixed(3) : Math.round(s)).join(" / ");
}

function away(lost, unseen)
{
	return [lost && w("lost", {n: lost}), unseen && w("unseen_yet", {n: unseen})]
		.filter(Boolean).join(" · ");
}

export class Overview {
	constructor(alarms)
	{
		this.alarms = alarms;
		this.node = el("main.overview", {hidden: true});
		this.figures = null;
		this.samples = [];  // {at (s), total}
		this.end = null;    // how far the daemon's stream has come
		this.charts = [];
		addEventListener("resize", () => this.redraw());
	}

	noteEnd(node, position)
	{
		this.end = {node, position};
	}

	// What the daemon has and PostgreSQL has not, in bytes of the journal.
	lag()
	{
		const cursor = this.end && this.figures.cursors.find(one => one.node === this.end.node);

		return cursor ? Math.max(0, this.end.position - cursor.position) : null;
	}

	show(shown)
	{
		this.node.hidden = !shown;
		clearTimeout(this.timer);
		if (shown)
			this.load();
	}

	async load()
	{
		try {
			this.figures = await get("overview");
			this.problem = false;
			this.sample();
		} catch (refused) {
			this.problem = true;
		}
		if (this.node.hidden)
			return;
		this.redraw();
		clearTimeout(this.timer);
		this.timer = setTimeout(() => this.load(), EVERY_MS);
	}

	sample()
	{
		this.samples.push({at: new Date(this.figures.now) / 1000, total: this.figures.records_total});
		if (this.samples.length > SAMPLES_MAX)
			this.samples.shift();
	}

	// Between two samples; statistics that were reset count as none.
	rates()
	{
		const times = [], values = [];

		for (let i = 1; i < this.samples.length; i++) {
			const [a, b] = [this.samples[i - 1], this.samples[i]];
			const rate = (b.total - a.total) * 60 / (b.at - a.at);

			times.push(b.at);
			values.push(rate >= 0 ? Math.round(rate) : null);
		}
		return [times, values];
	}

	redraw()
	{
		if (this.node.hidden || !this.figures)
			return;
		for (const chart of this.charts)
			chart.destroy();
		this.charts = [];
		this.node.replaceChildren(
			this.problem ? el("p.problem", w("overview_old", {time: clock(this.figures.now)})) : "",
			this.tiles(), this.stateBars(),
			el("section", el("h3", w("records_per_minute")), this.chartPlace("rate")),
			el("section", el("h3", w("alarms_per_hour")), this.chartPlace("hours")),
			this.limits(), this.latency());
		this.drawCharts();
	}

	tiles()
	{
		const f = this.figures;
		const [, rates] = this.rates();
		const rate = rates.length ? rates[rates.length - 1] : null;
		const [cursor, lag] = [f.cursors[0], this.lag()];
		const tile = (label, value, note, bad) => el(bad ? "div.tile.bad" : "div.tile",
			el("span.label", label), el("span.value", value), el("span.label", note || ""));

		return el("div.tiles",
			tile(w("sites"), `${f.sites_online} / ${f.sites}`,
				away(f.sites_lost, f.sites_unseen), f.sites_lost > 0),
			tile(w("controllers"), `${f.controllers_online} / ${f.controllers}`,
				away(f.controllers_lost, f.controllers_unseen), f.controllers_lost > 0),
			tile(w("records_per_minute"), rate === null ? "–" : rate.toLocaleString("en")),
			tile(w("alarms_open"), this.alarms.map.size),
			tile(w("postgresql_lag"), lag === null ? "–" : w("kib", {n: Math.ceil(lag / 1024)}),
				cursor ? w("last_stored", {n: Math.round(cursor.age_s)}) : ""));
	}

	stateBars()
	{
		const counts = Object.fromEntries(STATES.map(state => [state, 0]));

		for (const data of this.alarms.map.values())
			counts[data.state]++;
		const most = Math.max(1, ...Object.values(counts));

		return el("section", el("h3", w("alarms_by_state")),
			el("ul.bars", STATES.map(state => el("li", el("span.label", term("state", state)),
				el("meter", {min: 0, max: most, value: counts[state]}),
				el("b", counts[state])))));
	}

	// What is asked of an alarm centre, and whether it was so.
	limits()
	{
		const row = r => el("tr", el("td", term("class", r.class)), el("td", term("measure", r.measure)),
			el("td", w("limit_words", {s: r.limit_s, share: r.required})),
			el("td", seconds([r.p50_s, r.p95_s, r.p99_s])),
			el("td", r.within === null ? "–" : `${r.within} %`), el("td", r.alarms),
			el("td.verdict", {dataset: {verdict: r.verdict}}, term("verdict", r.verdict)));

		return el("section", el("h3", w("limits")),
			el("table.limits", el("thead", el("tr", [w("who"), w("way"), w("limit"),
				w("quantiles"), w("in_time"), w("alarms"), w("verdict_title")]
				.map(word => el("th", word)))),
			el("tbody", this.figures.limits.map(row))));
	}

	latency()
	{
		const names = ["", "low", "medium", "high", "critical"];

		return el("section", el("h3", w("latency")),
			el("table", el("thead", el("tr", [w("severity"), w("alarms"),
				w("arrival"), w("durable"), w("shown"), w("to_ack")].map(word => el("th", word)))),
			el("tbody", this.figures.latency.map(row => el("tr",
				el("td", term("severity", names[row.severity])), el("td", row.alarms),
				[row.arrival, row.durable, row.shown, row.answer].map(list =>
					el("td", list === null ? "–" : seconds(list))))))));
	}

	// ---- Charts ---------------------------------------------------------------------

	chartPlace(name)
	{
		return this[name] = el("div.chart");
	}

	drawCharts()
	{
		const hours = this.figures.alarms_per_hour;

		this.draw(this.rate, this.rates(), {});
		const now = Date.parse(this.figures.now) / 1000;
		const day = Array.from({length: 24}, (_, i) => (Math.floor(now / 3600) - 23 + i) * 3600);
		const counts = new Map(hours.map(row => [Date.parse(row.hour) / 1000, row.alarms]));

		this.draw(this.hours, [day, day.map(hour => counts.get(hour) || 0)], {paths: uPlot.paths.bars({size: [0.7, 60]})});
	}

	draw(place, data, series)
	{
		const style = getComputedStyle(document.documentElement);
		const ink = style.getPropertyValue("--ink-soft").trim();
		const line = style.getPropertyValue("--line").trim();
		const axis = {stroke: ink, grid: {stroke: line}, ticks: {stroke: line},
			font: "14px sans-serif"};

		this.charts.push(new uPlot({
			width: place.clientWidth, height: CHART_HEIGHT, legend: {show: false},
			cursor: {show: false},
			scales: {y: {range: (u, min, max) => [0, Math.max(1, max * 1.1)]}},
			axes: [{...axis, values: (u, times) => times.map(t =>
				new Date(t * 1000).toLocaleTimeString("sv-SE").slice(0, 5))}, {...axis, size: 64, incrs: WHOLE}],
			series: [{}, {points: {show: false}, stroke: style.getPropertyValue("--accent").trim(), width: 2,
				fill: style.getPropertyValue("--accent-soft").trim(), ...series}],
		}, data, place));
	}
}
