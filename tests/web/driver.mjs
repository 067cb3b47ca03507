// SPDX-License-Identifier: Apache-2.0
// A browser for tests that are written elsewhere: one JSON object per line on standard
// input, one answer per line on standard output.
//
//   {"do": "open", "page": "a", "url": "https://..", "width": 1280, "height": 800, ...}
//   {"do": "eval", "page": "a", "code": "document.title"}
//   {"do": "wait", "page": "a", "code": "..true in the end..", "ms": 20000}
//   {"do": "press", "page": "a", "key": "j"}       {"do": "type", .. "text": ".."}
//   {"do": "click", "page": "a", "selector": ".."}
//   {"do": "shot", "page": "a", "path": "/tmp/x.png"}
//   {"do": "offline", "page": "a", "offline": true}
//   {"do": "close", "page": "a"}
//
// Each page has a context of its own: cookies are not shared.  What a page writes to
// its console, and what it asks of any other host, is gathered and told by "said".

import {createInterface} from "node:readline";
import {chromium} from "playwright-core";

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync"];

const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ARGS, headless: true,
});
const pages = new Map();
const said = [];

async function open({page, url, width = 1280, height = 800, locale = "en-US",
	colors = "light"})
{
	const context = await browser.newContext({ignoreHTTPSErrors: true, locale,
		colorScheme: colors, viewport: {width, height}});
	const opened = await context.newPage();

	opened.on("console", message => said.push(`${page}: ${message.type()}: ${message.text()}`));
	opened.on("pageerror", error => said.push(`${page}: error: ${error.stack}`));
	opened.on("request", request => {
		if (new URL(request.url()).origin !== new URL(url).origin)
			said.push(`${page}: asks elsewhere: ${request.url()}`);
	});
	pages.set(page, opened);
	await opened.goto(url);
	return opened.url();
}

// By questions from outside: the pages' own policy forbids to evaluate texts within them.
async function wait({page, code, ms = 30000})
{
	const end = Date.now() + ms;

	while (!await pages.get(page).evaluate(code)) {
		if (Date.now() > end)
			throw new Error(`not within ${ms} ms`);
		await new Promise(resolve => setTimeout(resolve, 50));
	}
}

const verbs = {
	open,
	eval: ({page, code}) => pages.get(page).evaluate(code),
	wait,
	press: ({page, key}) => pages.get(page).keyboard.press(key),
	type: ({page, text}) => pages.get(page).keyboard.type(text),
	click: ({page, selector}) => pages.get(page).click(selector, {timeout: 10000}),
	shot: async ({page, path}) => {
		await pages.get(page).screenshot({path});
	},
	offline: ({page, offline}) => pages.get(page).context().setOffline(offline),
	goto: ({page, url}) => pages.get(page).goto(url).then(() => undefined),
	reload: ({page}) => pages.get(page).reload().then(() => undefined),
	url: ({page}) => pages.get(page).url(),
	said: () => said.splice(0),
	close: async ({page}) => {
		await pages.get(page).context().close();
		pages.delete(page);
	},
};

for await (const line of createInterface({input: process.stdin})) {
	const command = JSON.parse(line);
	let answer;

	try {
		answer = {value: (await verbs[command.do](command)) ?? null};
	} catch (error) {
		answer = {error: String(error.message).slice(0, 2000)};
	}
	process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
