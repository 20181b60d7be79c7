// The server's JSON routes, and in words what to do when one fails.
export const API = new URL("../api/v1/", import.meta.url); // right under any root path

export const imageUrl = id => new URL(`images/${encodeURIComponent(id)}`, API);
export const samplePath = id => `samples/${encodeURIComponent(id)}`;

// The server answered, but not with what was asked for; `facts` is its JSON.
export class Refused extends Error {
    constructor(status, facts) {
        super(facts.message ?? `the server answered ${status}`);
        Object.assign(this, { status, facts, kind: facts.error ?? "" });
    }
}

// The server did not answer.
export class Offline extends Error {}

// The JSON of an answer, null for one without content; `keepalive`: also when the page ends. Throws Refused or Offline; an abort passes as it is.
export async function call(method, path, body, signal, keepalive = false) {
    const headers = body === undefined ? {} : { "Content-Type": "application/json" };
    let reply;
    try {
        reply = await fetch(new URL(path, API), { method, headers, signal, keepalive, body: body === undefined ? undefined : JSON.stringify(body) });
        if (reply.status === 204) return null;
        const facts = await reply.json().catch(error => {
            if (error.name === "AbortError") throw error;
            return {};
        });
        if (reply.ok) return facts;
        throw new Refused(reply.status, facts);
    } catch (error) {
        if (error instanceof Refused || error.name === "AbortError") throw error;
        throw new Offline("no connection", { cause: error });
    }
}

const KEPT = "your work is kept in this browser";

export function explain(error) {
    if (error instanceof Offline) return `No connection to the server; ${KEPT} and is sent once it answers again.`;
    if (!(error instanceof Refused)) return `This page failed: ${error.message}. Reload it; ${KEPT}.`;
    if (error.status === 401) return `You are signed out; ${KEPT}. Sign in again in another tab, then go on here.`;
    if (error.status === 429) return `The server asks to wait a little (${error.message}); ${KEPT}.`;
    if (error.status >= 500 && !/^(model|drafter|endpoint)/.test(error.kind)) {
        return `The server failed (${error.message}); ${KEPT}. Try again; if it stays so, see the server's terminal.`;
    }
    return `The server refused: ${error.message}.`;
}
