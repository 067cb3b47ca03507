// SPDX-License-Identifier: Apache-2.0
// What stands, as the stream tells it; and in which order it is shown.  No element of
// the page in here.

const ASIDE = ["shelved", "out_of_service"];
const GROUPS = ["alarm.flood", "comms.site_lost"];
const HISTORY_MAX = 50;

export class Alarms {
	constructor(station)
	{
		this.station = station;
		this.map = new Map();      // alarm_id -> data
		this.history = new Map();  // alarm_id -> its changes since the page is open
		this.resyncing = null;     // ids seen in the snapshot that runs
		this.ready = false;
	}

	// Takes events in order; returns alarms that are new or ask for an answer again.
	take(events)
	{
		const fresh = [];

		for (const event of events) {
			if (event.name === "resync")
				this.resyncing = new Set();
			else if (event.name === "snapshot_end")
				this.endResync();
			else if (event.name === "alarm" && this.takeAlarm(event.data))
				fresh.push(event.data);
		}
		return fresh;
	}

	endResync()
	{
		for (const id of this.map.keys())
			if (this.resyncing && !this.resyncing.has(id))
				this.map.delete(id);
		this.resyncing = null;
		this.ready = true;
	}

	takeAlarm(data)
	{
		const before = this.map.get(data.alarm_id);
		const snapshot = this.resyncing !== null;

		if (snapshot)
			this.resyncing.add(data.alarm_id);
		// a snapshot may be newer than the changes that follow it
		if (before && before.position > data.position)
			return false;
		this.remember(data);
		if (data.state === "normal") {
			this.map.delete(data.alarm_id);
			return false;
		}
		this.map.set(data.alarm_id, data);
		// of what is in a group, the group is announced; that it grows, its row says
		return !snapshot && this.rings(data) && !this.isMember(data) &&
			(!before || !this.rings(before) || !isGroup(data) && data.count > before.count);
	}

	remember(data)
	{
		const list = this.history.get(data.alarm_id) || [];

		if (list.length && list[list.length - 1].position >= data.position)
			return;
		list.push(data);
		if (list.length > HISTORY_MAX)
			list.shift();
		this.history.set(data.alarm_id, list);
		// of alarms that are over the oldest go first
		for (const id of this.history.keys()) {
			if (this.history.size <= 2000)
				break;
			if (!this.map.has(id))
				this.history.delete(id);
		}
	}

	// Somebody here has to answer for it.
	rings(data)
	{
		return waits(data) && this.called(data);
	}

	called(data)
	{
		return data.called.length === 0 || data.called.includes(this.station);
	}

	get(id)
	{
		return this.map.get(id);
	}

	// How many have to be answered: a group counts as one until it is taken, since who takes
	// it takes what is in it; what came into it later counts by itself.
	unanswered()
	{
		let n = 0;

		for (const data of this.map.values())
			n += this.rings(data) && !(this.isMember(data) &&
				this.rings(this.map.get(data.group_id)));
		return n;
	}

	// The worst that is to be heard; 0: nothing.  What is in a group is never heard.
	loudest()
	{
		let level = 0;

		for (const data of this.map.values())
			if (data.severity_level > level && this.rings(data) && !this.isMember(data))
				level = data.severity_level;
		return level;
	}

	isMember(data)
	{
		return data !== undefined && data.group_id !== null && this.map.has(data.group_id);
	}

	// Each group's members, in their order.
	groups()
	{
		const groups = new Map();

		for (const data of this.map.values()) {
			if (!this.isMember(data))
				continue;
			if (!groups.has(data.group_id))
				groups.set(data.group_id, []);
			groups.get(data.group_id).push(data);
		}
		for (const members of groups.values())
			members.sort((a, b) => this.compare(a, b));
		return groups;
	}

	// Those that stand alone or for a group, and behind an opened group what is in it.  What
	// is looked for is found in groups, too.
	list(filter, opened, groups)
	{
		const all = [...this.map.values()];

		if (filter)
			return all.filter(data => matches(data, filter)).sort((a, b) => this.compare(a, b));
		return all.filter(data => !this.isMember(data)).sort((a, b) => this.compare(a, b))
			.flatMap(data => opened.has(data.alarm_id)
				? [data, ...groups.get(data.alarm_id) || []] : [data]);
	}

	members(groupId)
	{
		return this.groups().get(groupId) || [];
	}

	// What has to be answered first; the worse first; the older first.
	compare(a, b)
	{
		return this.rank(a) - this.rank(b) || b.severity_level - a.severity_level ||
			(a.raised_time < b.raised_time ? -1 : a.raised_time > b.raised_time ? 1 : 0) ||
			(a.alarm_id < b.alarm_id ? -1 : 1);
	}

	rank(data)
	{
		if (ASIDE.includes(data.state))
			return 3;
		if (!this.called(data))
			return 2;
		return waits(data) ? 0 : 1;
	}
}

// It stands for others.
export function isGroup(data)
{
	return data !== undefined && GROUPS.includes(data.kind);
}

// Nobody has taken it.
export function waits(data)
{
	return ["unacknowledged", "returned_unacknowledged"].includes(data.state) ||
		data.state === "latched" && data.acknowledged_time === null;
}

function matches(data, filter)
{
	const words = [data.kind, data.site, data.site_name, data.door, data.door_name, data.address,
		data.area, data.controller, data.severity, data.state].join(" ").toLowerCase();

	return filter.toLowerCase().split(/\s+/).every(word => words.includes(word));
}

const TAKING = ["accept", "reject"];
const GOING = ["dispatched", "on_scene", "close"];
const LATER = ["comment", "hand_over", "shelve", "out_of_service"];

// Which verbs an alarm takes in its state, the likeliest first; the daemon has the last word.
const VERBS = {
	unacknowledged: () => [...TAKING, ...GOING, ...LATER],
	returned_unacknowledged: () => [...TAKING, ...GOING, ...LATER],
	acknowledged: data => [...GOING, "cancel", ...data.latched ? ["reset"] : [], ...LATER],
	latched: data => waits(data) ? [...TAKING, "dispatched", "on_scene", "reset", ...LATER]
		: ["reset", "dispatched", "on_scene", "cancel", ...LATER],
	shelved: () => ["unshelve", "close", "comment", "out_of_service"],
	out_of_service: () => ["in_service", "comment"],
};

export function verbs(data)
{
	const list = (VERBS[data.state] || (() => []))(data);

	// what is silent is somebody in need: it can't be put aside for later
	return data.silent ? list.filter(verb => verb !== "shelve") : list;
}
