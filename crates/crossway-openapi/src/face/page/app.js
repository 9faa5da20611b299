"use strict";

// Everything that comes from the document or a tool is put in as text, never as markup.
function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Follows references within the document.
function follow(api, schema) {
  let at = schema;
  for (let steps = 0; at && at.$ref && steps < 16; steps += 1) {
    at = at.$ref.replace("#/", "").split("/").reduce((inside, name) => inside && inside[name], api);
  }
  return at || {};
}

// An example value for a schema.
function example(api, schema, depth) {
  const { type, properties, required, items, ...rest } = follow(api, schema);
  if ("default" in rest) return rest.default;
  if ("const" in rest) return rest.const;
  if (Array.isArray(rest.examples) && rest.examples.length) return rest.examples[0];
  if (Array.isArray(rest.enum)) return rest.enum[0];
  const choice = rest.anyOf || rest.oneOf;
  if (!type && !properties && choice) return example(api, choice[0], depth + 1);
  const kind = Array.isArray(type) ? type[0] : type;
  if (kind === "object" || properties) {
    const value = {};
    for (const [name, property] of Object.entries(properties || {})) {
      if (depth < 4 && (required || []).includes(name)) value[name] = example(api, property, depth + 1);
    }
    return value;
  }
  return { string: "", integer: 0, number: 0, boolean: false, array: [], null: null }[kind] ?? null;
}

function show(out, status, text) {
  out.replaceChildren(element("p", { className: status < 400 ? "" : "failed", textContent: "Status " + status }));
  let value = null;
  try {
    value = JSON.parse(text);
    text = JSON.stringify(value, null, 2);
  } catch {
    // It is shown as it came.
  }
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === "string" && /^data:image\/(png|jpeg|gif|webp);base64,/.test(item)) {
      out.append(element("img", { src: item, alt: "a picture that the tool has answered with" }));
    }
  }
  out.append(element("pre", { textContent: text }));
}

async function call(path, body, out, button) {
  const headers = { "Content-Type": "application/json" };
  const key = document.getElementById("key").value;
  if (key) headers.Authorization = "Bearer " + key;
  button.disabled = true;
  try {
    // Relative to where this page is, whatever stands before that.
    const answer = await fetch("." + path, { method: "POST", headers, body });
    show(out, answer.status, await answer.text());
  } catch (error) {
    out.replaceChildren(element("p", { className: "failed", textContent: String(error) }));
  } finally {
    button.disabled = false;
  }
}

function card(api, path, operation) {
  const media = operation.requestBody?.content?.["application/json"] || {};
  const schema = media.schema || {};
  const body = element("textarea", { value: JSON.stringify(example(api, schema, 0), null, 2), spellcheck: false });
  const out = element("div", {});
  const button = element("button", { textContent: "Call" });
  button.addEventListener("click", () => call(path, body.value, out, button));
  const answer = operation.responses?.["200"]?.content?.["application/json"]?.schema || {};
  return element(
    "details",
    { className: "tool" },
    element(
      "summary",
      {},
      element("code", { textContent: decodeURIComponent(path.slice(1)) }),
      element("span", { textContent: operation.summary || "" }),
    ),
    element("p", { className: "text", textContent: operation.description || "" }),
    element("label", { textContent: "Arguments" }, body),
    element("p", {}, button),
    out,
    element(
      "details",
      {},
      element("summary", { textContent: "Schemas" }),
      element("pre", { textContent: JSON.stringify({ arguments: schema, answer }, null, 2) }),
    ),
  );
}

async function start() {
  const tools = document.getElementById("tools");
  const answer = await fetch("openapi.json");
  if (!answer.ok) {
    show(tools, answer.status, await answer.text());
    return;
  }
  const api = await answer.json();
  document.title = api.info.title;
  document.getElementById("title").textContent = api.info.title + " " + api.info.version;
  document.getElementById("about").textContent = api.info.description;
  const cards = Object.entries(api.paths).map(([path, item]) => card(api, path, item.post));
  tools.replaceChildren(...cards);
  if (!cards.length) tools.textContent = "There is no tool here.";
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const tool of cards) tool.hidden = !tool.querySelector("summary").textContent.toLowerCase().includes(wanted);
  });
}

start().catch((error) => {
  document.getElementById("tools").textContent = String(error);
});
