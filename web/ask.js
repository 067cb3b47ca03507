// SPDX-License-Identifier: Apache-2.0
// What a verb needs to be told, asked in a dialog.

import {el} from "./dom.js";
import {term, w} from "./words.js";

const REJECTS = ["wrong_address", "wrong_kind", "too_old", "other"];
const OUTCOMES = ["incident", "nothing_found", "false_alarm", "test", "technical", "other"];

const choice = (name, group, keys) => ({name, group, keys});
const TEXT = {name: "text", text: true};

// What is asked before it is done; verbs that are not here ask nothing.
const NEEDS = {
	reject: [choice("reject_reason", "reject", REJECTS), {...TEXT, optional: true}],
	close: [choice("outcome", "outcome", OUTCOMES), {...TEXT, optional: true}],
	reset: [{...choice("outcome", "outcome", OUTCOMES), optional: true}, {...TEXT, optional: true}],
	comment: [TEXT],
	hand_over: [{name: "station", stations: true}, {...TEXT, optional: true}],
	shelve: [{name: "minutes", number: 30}, TEXT],
	out_of_service: [{name: "minutes", number: 480}, TEXT],
};

const LABEL = {reject_reason: "reason", outcome: "how_it_came_out", text: "text",
	minutes: "minutes", station: "to_station"};

// Resolves to the answers; to null when the person thought better of it.
export function ask(verb, data)
{
	let needs = NEEDS[verb] || [];

	// what needs the stronger right needs a reason
	if (data.supervised && ["close", "reset"].includes(verb))
		needs = needs.map(need => need.text ? TEXT : need);
	if (!needs.length)
		return Promise.resolve({});
	return new Promise(resolve => open(verb, data, needs, resolve));
}

function open(verb, data, needs, resolve)
{
	const fields = needs.map(field);
	const dialog = el("dialog.ask", {"aria-labelledby": "ask-title"});
	const form = el("form", {method: "dialog", onsubmit: event => {
		event.preventDefault();
		done(Object.fromEntries(fields.map((one, i) => [needs[i].name, one.value()])
			.filter(([, value]) => value !== null)));
	}},
	el("h2", {id: "ask-title"}, term("verb", verb)),
	el("p", `${term("kind", data.kind)} · ${data.address || data.site_name}`),
	data.supervised && ["close", "reset"].includes(verb) || verb === "out_of_service" ? el("p.note", w("needs_supervisor")) : null,
	fields.map(one => one.node),
	el("div.verbs",
		el("button.primary", {type: "submit"}, w("ok")),
		el("button", {type: "button", onclick: () => done(null)}, w("cancel_dialog"))));

	function done(answers)
	{
		dialog.close();
		dialog.remove();
		resolve(answers);
	}
	dialog.addEventListener("cancel", event => {
		event.preventDefault();
		done(null);
	});
	dialog.append(form);
	document.body.append(dialog);
	dialog.showModal();
	(form.querySelector("input, textarea, select")).focus();
}

function field(need)
{
	const label = w(LABEL[need.name]) + (need.optional ? ` (${w("optional")})` : "");

	if (need.keys)
		return choiceField(need, label);
	const input = need.number
		? el("input", {type: "number", min: 1, max: 100000, value: need.number, required: true})
		: el("input", {type: "text", maxLength: need.stations ? 64 : 160, required: !need.optional,
			autocomplete: "off"});

	return {
		node: el("label", label, input),
		value: () => need.number ? Number(input.value) : input.value.trim() || null,
	};
}

// Numbers choose, so that hands stay on the keyboard.
function choiceField(need, label)
{
	const inputs = need.keys.map((key, i) => el("input", {type: "radio", name: need.name,
		value: key, required: !need.optional, checked: !need.optional && i === 0}));
	const node = el("fieldset", el("legend", label), need.keys.map((key, i) =>
		el("label.choice", inputs[i], el("kbd", i + 1), ` ${term(need.group, key)}`)));

	node.addEventListener("keydown", event => {
		const chosen = inputs[Number(event.key) - 1];

		if (!chosen || event.target.type !== "radio")
			return;
		event.preventDefault();
		chosen.checked = true;
		chosen.focus();
	});
	return {
		node,
		value: () => {
			const chosen = inputs.find(input => input.checked);

			return chosen ? chosen.value : null;
		},
	};
}
