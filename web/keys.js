// SPDX-License-Identifier: Apache-2.0
// The list of keys.

import {el} from "./dom.js";
import {w} from "./words.js";

export function showKeys(keys)
{
	const dialog = el("dialog.ask", el("h2", w("keys_title")),
		el("dl.keys", keys.flatMap(([key, words]) => [el("dt", el("kbd", key)), el("dd", words)])),
		el("form", {method: "dialog"}, el("button.primary", w("ok"))));

	dialog.addEventListener("close", () => dialog.remove());
	document.body.append(dialog);
	dialog.showModal();
}
