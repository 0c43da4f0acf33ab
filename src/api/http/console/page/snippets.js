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
    ? `curl -s ${quote(url)}${key} \\\n  -F ${quote(`file=@"${name.replaceAll(/[\\"]/g, "\\$&")}"`)}`
    : `curl -s ${quote(url)}${key} \\\n  -H ${quote(`content-type: ${input.type}`)} \\\n  --data-binary ${quote(`@${name}`)}`;
  const headers = [part ? null : `"content-type": "${input.type}"`, keyed ? `"x-api-key": os.environ["DRSN_KEY"]` : null].filter(Boolean).join(", ");
  const send = part ? `files={"file": open(${JSON.stringify(name)}, "rb")}` : `data=open(${JSON.stringify(name)}, "rb")`;
  const python = `import ${keyed ? "os, " : ""}requests\n\nanswer = requests.post(\n    ${JSON.stringify(url)},\n    headers={${headers}},\n    ${send},\n).json()\nprint(answer["predictions"][0]["label"])`;
  return { curl, python };
}

/** Files that are sent with the same options: `{ending, options, files}`, where `files` is null if they are all of that ending. */
function alike(rows) {
  const groups = new Map(), endings = new Map();
  for (const { name, folder, options } of rows) {
    const [ending] = name.match(/\.\w+$/) ?? [""], key = JSON.stringify([ending, options]);
    if (!groups.has(key)) groups.set(key, { ending, options, isDeep: false, files: [] });
    const group = groups.get(key);
    group.files.push(folder ? `${folder}/${name}` : name);
    group.isDeep ||= Boolean(folder);
    endings.set(ending, (endings.get(ending) ?? new Set()).add(key));
  }
  return [...groups.values()].map((group) => (endings.get(group.ending).size === 1 ? { ...group, files: null } : group));
}

/** `{curl, python}` for many files that lie where they are run, or in folders there: a loop for those with the same options. */
export function loops(origin, rows, model, keyed) {
  const url = `${origin}/models/${encodeURIComponent(model.name)}/classify`, groups = alike(rows);
  const key = keyed ? ` -H "x-api-key: $DRSN_KEY"` : "", all = ({ isDeep, ending }) => `${isDeep ? "*/" : ""}*${ending}`;
  // The shell reads the file: curl takes commas and semicolons in a name for its own.
  const loop = (group) => `for file in ${group.files?.map(quote).join(" ") ?? all(group)}; do\n  curl -s ${quote(url + query(group.options))}${key} \\\n    -F 'file=@-;filename=input${group.ending}' < "$file"; echo\ndone`;
  const patterns = (group) => group.files?.map((file) => file.replaceAll(/[*?[]/g, "[$&]")) ?? [all(group)];
  const known = groups.map((group) => `    (${JSON.stringify(patterns(group))}, ${JSON.stringify(group.options)}),\n`).join("");
  const python = `import ${keyed ? "os, " : ""}pathlib, requests\n\nFILES = [\n${known}]\nfor patterns, options in FILES:\n    for path in sorted(path for pattern in patterns for path in pathlib.Path().glob(pattern)):\n        answer = requests.post(\n            ${JSON.stringify(url)},\n            params=options,\n${keyed ? `            headers={"x-api-key": os.environ["DRSN_KEY"]},\n` : ""}            files={"file": path.open("rb")},\n        ).json()\n        print(path, answer["predictions"][0]["label"] if "predictions" in answer else answer["detail"])`;
  return { curl: groups.map(loop).join("\n"), python };
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

/** Shows the texts; what is seen already stays as it is. */
export function showSnippets(place, texts, input = {}) {
  const shown = JSON.stringify([texts, input.isMade && fileName(input)]);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  show(place, snippetPanel(texts, input));
}
