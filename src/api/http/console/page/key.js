/** Asks for the server's key. It is kept in memory only. */

import { h } from "./dom.js";

/** Shows the question; resolves with the key, or null if the user does not give one. `part` needs it. */
export function askKey(part, wasWrong) {
  const input = h("input", { type: "password", id: "key", autocomplete: "off", required: true, size: 28 });
  const dialog = h("dialog", { "aria-labelledby": "key-title" },
    h("form", { method: "dialog" },
      h("h2", { id: "key-title" }, "This server asks for a key"),
      h("p", {}, `${part} needs one.`, wasWrong && h("strong", {}, " The key that was given is not known to the server.")),
      h("div", { class: "field" }, h("label", { for: "key" }, "Key"), input),
      h("p", { class: "note" }, "It stays in this page's memory and is gone when the page is closed."),
      h("div", { class: "bar-of-tools" }, h("button", { type: "submit", value: "use", class: "primary" }, "Use it"), h("button", { type: "submit", value: "cancel", formNoValidate: true }, "Not now"))));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(dialog.returnValue === "use" ? input.value.trim() : null);
    });
  });
}
