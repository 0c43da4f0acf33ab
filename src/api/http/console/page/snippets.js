/** The same request for a terminal and for Python, to copy. */

import { query } from "./api.js";
import { download, h, show } from "./dom.js";

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A name for the input as a file; one that was made here has none yet. */
export function fileName({ name, type, isMade }) {
  return isMade ? `input.${{ "image/png": "png", "audio/wav": "wav" }[type] ?? "f32"}` : name;
}

/** `{curl, python}` for an input, model and options; `origin` is the server's address. */
export function snippets(origin, input, model, options, keyed) {
  const all = input.isImage ? {} : { ...options, ...input.options };
  const url = `${origin}/models/${encodeURIComponent(model.name)}/classify${query({ ...all, diagnostics: "full" })}`;
  const key = keyed ? ` \\\n  -H "x-api-key: $DRSN_KEY"` : "";
  const name = fileName(input);
  const part = input.type === null;
  const curl = part
    ? `curl -s ${quote(url)}${key} \\\n  -F ${quote(`file=@${name}`)}`
    : `curl -s ${quote(url)}${key} \\\n  -H ${quote(`content-type: ${input.type}`)} \\\n  --data-binary ${quote(`@${name}`)}`;
  const headers = [part ? null : `"content-type": "${input.type}"`, keyed ? `"x-api-key": KEY` : null].filter(Boolean).join(", ");
  const send = part ? `files={"file": open(${JSON.stringify(name)}, "rb")}` : `data=open(${JSON.stringify(name)}, "rb")`;
  const python = `import requests\n\nanswer = requests.post(\n    ${JSON.stringify(url)},\n    headers={${headers}},\n    ${send},\n).json()\nprint(answer["predictions"][0]["label"])`;
  return { curl, python };
}

/** Both with a button to copy; an input that was made here can be saved. */
function snippetPanel(texts, input) {
  const one = (name, text) => {
    const done = h("span", { class: "note", role: "status" });
    const copy = async () => {
      await navigator.clipboard.writeText(text).then(() => { done.textContent = "copied"; }, () => { done.textContent = "select the text to copy it"; });
    };
    return h("div", { class: "snippet" }, h("div", { class: "bar-of-tools" }, h("strong", {}, name), h("button", { type: "button", class: "small", onclick: copy, "aria-label": `Copy the ${name} request` }, "Copy"), done), h("pre", { tabIndex: 0, "aria-label": `The request by ${name}` }, text));
  };
  const save = input.isMade && h("p", {}, h("button", { type: "button", class: "small", onclick: () => download(fileName(input), input.body) }, `Save the input as ${fileName(input)}`));
  return [save, one("curl", texts.curl), one("Python", texts.python)];
}

export function showSnippets(place, texts, input) {
  return show(place, snippetPanel(texts, input));
}
