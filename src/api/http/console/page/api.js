/** Requests to the server, with the key that it asks for, and its errors in its own words. */

/** Seconds between two looks whether a server that was away is back; attempts of work that may be tried again. */
const AGAIN = 2, TRIES = 6;

/** An answer that is an error, or none at all (`code` is `unreachable`). */
export class Problem extends Error {
  constructor({ status = 0, code, detail, retryAfter = null }) {
    super(detail);
    Object.assign(this, { status, code, detail, retryAfter });
  }
}

/** Kept here and nowhere else: it is gone when the page is. */
let key = null;
let asking = null;
const hooks = { askKey: async () => null, reached: () => {} };

/** Sets what asks for a key, and what is told whether the server answers. */
export function setHooks(given) {
  Object.assign(hooks, given);
}

export function setKey(given) {
  key = given;
}

export function hasKey() {
  return key !== null;
}

async function problemOf(response) {
  const retryAfter = Number(response.headers.get("retry-after")) || null;
  const known = { status: response.status, retryAfter };
  try {
    const { code, detail } = await response.json();
    return new Problem({ ...known, code, detail });
  } catch {
    return new Problem({ ...known, code: "unknown", detail: `the server answered ${response.status} ${response.statusText}` });
  }
}

/** Whether a body can still be read: a file that was changed, moved or removed since it was chosen cannot. */
async function isReadable(body) {
  const blobs = body instanceof FormData ? [...body.values()] : [body];
  const reads = blobs.filter((blob) => blob instanceof Blob).map((blob) => blob.slice(0, 1).arrayBuffer());
  return Promise.all(reads).then(() => true, () => false);
}

async function send(path, { method = "GET", body, type, signal }) {
  const headers = {};
  if (type) headers["content-type"] = type;
  if (key) headers["x-api-key"] = key;
  try {
    const response = await fetch(path, { method, body, headers, signal, cache: "no-store" });
    hooks.reached(true);
    return response;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (!await isReadable(body)) throw new Problem({ code: "unreadable", detail: "the file cannot be read: it was changed, moved or removed since it was chosen; choose it again" });
    hooks.reached(false);
    throw new Problem({ code: "unreachable", detail: "the server does not answer; the page asks it again every two seconds" });
  }
}

/**
 * Sends a request and returns the response. If the server asks for a key, the user is asked once for all requests that
 * wait; `part` says what needs it.
 */
export async function request(path, options = {}) {
  for (;;) {
    const used = key;
    const response = await send(path, options);
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 401 || options.quiet) throw problem;
    // Another request may have got a key meanwhile.
    if (key !== used) continue;
    asking ??= hooks.askKey(options.part ?? "This part", used !== null).finally(() => { asking = null; });
    const given = await asking;
    if (given === null) throw problem;
    key = given;
  }
}

export async function getJson(path, options) {
  return (await request(path, options)).json();
}

/** The query of options; those without a value are left out. */
export function query(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given).toString();
  return text && `?${text}`;
}

/** Classifies one body with a model. */
export async function classify(model, body, type, options, signal) {
  const path = `/models/${encodeURIComponent(model)}/classify${query(options)}`;
  const response = await request(path, { method: "POST", body, type, signal, part: "Classifying" });
  return response.json();
}

const pause = (seconds) => new Promise((done) => { setTimeout(done, 1000 * seconds); });

/** Resolves when the server answers anything, or the work is not wanted any more. */
async function untilReached(isWanted) {
  do {
    await pause(AGAIN);
    try {
      await request("/readyz", { quiet: true });
      return;
    } catch (problem) {
      if (problem.code !== "unreachable") return;
    }
  } while (isWanted());
}

/**
 * Does work that may fail because the server is busy or away, a few times: it waits as long as the server asks to, or
 * for as long as the server is away. `isWanted` tells whether the result still matters.
 */
export async function patiently(work, isWanted) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (problem) {
      const isAway = problem.code === "unreachable";
      if (attempt >= TRIES || !isWanted() || !(isAway || problem.retryAfter)) throw problem;
      await (isAway ? untilReached(isWanted) : pause(problem.retryAfter));
    }
  }
}
