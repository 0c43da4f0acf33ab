/** What the colours of an activation map mean, and a switch for it. */

import { h } from "./dom.js";

export class Tint {
  /** `changed` is called when the map is switched on or off. */
  constructor(changed) {
    this.box = h("input", { type: "checkbox", id: "tint", checked: true, onchange: changed });
    this.element = h("div", { class: "tint", hidden: true }, h("span", { class: "check" }, this.box, h("label", { for: "tint" }, "Tint what")),
      h("span", { class: "key for" }, "spoke for the class"), h("span", { class: "key against" }, "spoke against it"));
  }

  get isOn() {
    return this.box.checked;
  }
}
