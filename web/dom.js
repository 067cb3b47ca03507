// SPDX-License-Identifier: Apache-2.0
// Elements from words: el("button.primary", {onclick}, "text", child).  Texts go in as
// texts, never as markup.

export function el(spec, ...rest)
{
	const [tag, ...classes] = spec.split(".");
	const node = document.createElement(tag || "div");

	if (classes.length)
		node.className = classes.join(" ");
	for (const item of rest) {
		if (item === null || item === undefined || item === false)
			continue;
		if (item instanceof Node)
			node.append(item);
		else if (Array.isArray(item))
			node.append(...item.filter(Boolean));
		else if (typeof item === "object")
			set(node, item);
		else
			node.append(String(item));
	}
	return node;
}

function set(node, attributes)
{
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on"))
			node.addEventListener(name.slice(2), value);
		else if (name === "dataset")
			Object.assign(node.dataset, value);
		else if (name in node && name !== "list" && name !== "role")
			node[name] = value;
		else if (value !== null && value !== undefined && value !== false)
			node.setAttribute(name, value === true ? "" : value);
	}
}

// Changes a text only where it differs, so that nothing is laid out for nothing.
export function text(node, value)
{
	if (node.textContent !== value)
		node.textContent = value;
}

// Makes the children of `parent` exactly these, moving as few as possible.
export function arrange(parent, nodes)
{
	let at = parent.firstChild;

	for (const node of nodes) {
		if (node === at) {
			at = at.nextSibling;
			continue;
		}
		parent.insertBefore(node, at);
	}
	while (at) {
		const next = at.nextSibling;

		at.remove();
		at = next;
	}
}
