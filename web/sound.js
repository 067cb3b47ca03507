// SPDX-License-Identifier: Apache-2.0
// Two tones, again and again while somebody has to answer.  Made here: no file.

const EVERY_MS = 3000;

// What was played since the page is open: rounds, also silent ones, and tones.
export const played = {rounds: 0, tones: 0};

const TOUCHES = ["keydown", "pointerdown"];

export class Sound {
	constructor(onChange)
	{
		this.on = localStorage.getItem("sound") !== "off";
		this.onChange = onChange;
		this.level = 0;
		this.context = null;
		this.timer = setInterval(() => this.ring(), EVERY_MS);
		// browsers let a page be heard only after somebody has touched it
		this.touched = () => this.unblock();
		for (const event of TOUCHES)
			addEventListener(event, this.touched, {capture: true});
	}

	end()
	{
		clearInterval(this.timer);
		for (const event of TOUCHES)
			removeEventListener(event, this.touched, {capture: true});
		if (this.context)
			this.context.close();
	}

	unblock()
	{
		if (!this.context)
			this.context = new AudioContext();
		if (this.context.state !== "running")
			this.context.resume().then(() => this.onChange());
	}

	get blocked()
	{
		return this.on && (!this.context || this.context.state !== "running");
	}

	toggle()
	{
		this.on = !this.on;
		localStorage.setItem("sound", this.on ? "on" : "off");
		this.onChange();
	}

	// 0: quiet; otherwise the severity of what is to be answered.
	set(level)
	{
		const worse = level > this.level;

		this.level = level;
		if (worse)
			this.ring();
	}

	ring()
	{
		played.rounds++;
		if (!this.on || this.level === 0 || this.blocked)
			return;
		const high = this.level >= 4 ? 1180 : 880;

		this.tone(high, 0);
		this.tone(high * 0.75, 0.18);
		if (this.level >= 4)
			this.tone(high, 0.36);
	}

	tone(frequency, after)
	{
		const at = this.context.currentTime + after;
		const oscillator = this.context.createOscillator();
		const gain = this.context.createGain();

		oscillator.frequency.value = frequency;
		gain.gain.setValueAtTime(0, at);
		gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
		gain.gain.linearRampToValueAtTime(0, at + 0.15);
		oscillator.connect(gain).connect(this.context.destination);
		oscillator.start(at);
		played.tones++;
		oscillator.stop(at + 0.16);
	}
}
