// SPDX-License-Identifier: Apache-2.0
// Requests to the server: JSON in, JSON out, the session's token with each POST.

let token = "";

export class Refused extends Error {
	constructor(status, body)
	{
		super((body && (body.detail || body.title)) || `HTTP ${status}`);
		this.status = status;
		this.body = body || {};
	}
}

async function answer(reply)
{
	const kind = reply.headers.get("Content-Type") || "";
	const body = kind.includes("json") ? await reply.json() : null;

	if (!reply.ok)
		throw new Refused(reply.status, body);
	return body;
}

export async function get(path)
{
	return answer(await fetch(`/api/v1/${path}`, {cache: "no-store"}));
}

export async function post(path, body)
{
	return answer(await fetch(`/api/v1/${path}`, {
		method: "POST",
		headers: {"Content-Type": "application/json", "X-Gatehouse-Token": token},
		body: JSON.stringify(body || {}),
	}));
}

function signedIn(session)
{
	token = session.csrf_token;
	return session;
}

// The session that there is; null: nobody is signed in.
export async function session()
{
	try {
		return signedIn(await get("session"));
	} catch (refused) {
		if (refused.status === 401)
			return null;
		throw refused;
	}
}

export async function signInByLink(secret)
{
	return signedIn(await post("session/link", {secret}));
}

export async function signInByCertificate()
{
	return signedIn(await post("session/certificate"));
}

export async function signOut()
{
	await post("session/end");
}
