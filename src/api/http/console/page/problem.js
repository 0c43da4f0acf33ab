/** An error in the server's words, with what can be done. */

import { h } from "./dom.js";
import { sentence } from "./format.js";

const REMEDIES = {
  unreachable: "Nothing is lost: try again when it is back.",
  unauthenticated: "This server asks for a key.",
  queue_full: "The server is busy; try again shortly.",
  bytes_full: "The server is busy; try again shortly.",
  too_large: "Send a shorter recording, or have the limit raised (--max-recording-bytes, --max-windows).",
  deadline_exceeded: "The server needed too long; send less at once.",
  internal: "The server's log has the reason.",
};

const PASSING = ["unreachable", "unauthenticated", "queue_full", "bytes_full", "not_ready", "draining", "deadline_exceeded", "internal"];

/** Whether the same request can succeed later. */
export function isPassing({ code }) {
  return PASSING.includes(code);
}

/** `again` is offered as a button where trying again can help. */
export function problemNote(problem, again) {
  const remedy = REMEDIES[problem.code], helps = again && isPassing(problem);
  return h("div", { class: "problem" }, h("p", {}, sentence(problem.detail ?? problem.message)), remedy && h("p", { class: "note" }, remedy), helps && h("button", { type: "button", class: "small", onclick: again }, "Try again"));
}
