// SPDX-License-Identifier: Apache-2.0
// The stream of events, read by fetch: so that we say ourselves from where to go on, and
// notice a connection that is silent.  Comes back by itself, for ever.

const SILENCE_MS = 25000; // the server says something every 10 s
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10000;

export class Stream {
	// on(events): each {name, id, data, node}; onState(connected); onSignedOut()
	constructor({on, onState, onSignedOut})
	{
		Object.assign(this, {on, onState, onSignedOut});
		this.lastId = null;
		this.retryMs = RETRY_FIRST_MS;
		this.stopped = false;
		// a network that is back need not be waited for
		addEventListener("online", () => this.wake && this.wake());
		this.run();
	}

	stop()
	{
		this.stopped = true;
		if (this.abort)
			this.abort.abort();
	}

	async run()
	{
		while (!this.stopped) {
			try {
				await this.readOnce();
			} catch (problem) {
				if (problem.status === 401) {
					this.onState(false);
					this.onSignedOut();
					return;
				}
			}
			clearTimeout(this.watchdog);
			this.onState(false);
			await this.pause();
		}
	}

	pause()
	{
		const wait = this.retryMs * (0.5 + Math.random() / 2);

		this.retryMs = Math.min(this.retryMs * 2, RETRY_MAX_MS);
		return new Promise(resolve => {
			this.wake = resolve;
			setTimeout(resolve, wait);
		});
	}

	heard()
	{
		clearTimeout(this.watchdog);
		this.watchdog = setTimeout(() => this.abort.abort(), SILENCE_MS);
	}

	async readOnce()
	{
		const headers = {Accept: "text/event-stream"};

		this.abort = new AbortController();
		this.heard();
		if (this.lastId !== null)
			headers["Last-Event-ID"] = this.lastId;
		const reply = await fetch("/api/v1/stream", {
			headers, cache: "no-store", signal: this.abort.signal,
		});
		if (!reply.ok)
			throw Object.assign(new Error("refused"), {status: reply.status});
		await this.readBody(reply.body.pipeThrough(new TextDecoderStream()).getReader());
	}

	async readBody(reader)
	{
		let rest = "";

		for (;;) {
			const {value, done} = await reader.read();

			if (done)
				return;
			this.heard();
			this.retryMs = RETRY_FIRST_MS;
			this.onState(true);
			const frames = (rest + value).split("\n\n");

			rest = frames.pop();
			if (frames.length)
				this.take(frames.map(parse));
		}
	}

	take(events)
	{
		this.on(events);
		for (const event of events)
			if (event.id !== null)
				this.lastId = event.id;
	}
}

function envelope({data, source})
{
	return {data, node: Number(source.split(":").pop())};
}

function parse(frame)
{
	const event = {name: "message", id: null, data: null};

	for (const line of frame.split("\n")) {
		if (line.startsWith("event: "))
			event.name = line.slice(7);
		else if (line.startsWith("id: "))
			event.id = line.slice(4);
		else if (line.startsWith("data: "))
			Object.assign(event, envelope(JSON.parse(line.slice(6))));
	}
	return event;
}
