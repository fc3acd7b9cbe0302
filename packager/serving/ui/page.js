"use strict";

const element = (id) => document.getElementById(id);
const state = { model: null, signatures: {}, versions: [], example: "" };
const POLL_MS = 5000;
const LARGE = 20000; // values that are shown only in part

/** Fetch JSON of the API; an error says what the server said. */
async function fetchJson(path) {
  const answer = await fetch(path);
  const text = await answer.text();
  let document_;
  try {
    document_ = JSON.parse(text);
  } catch {
    throw new Error(`HTTP ${answer.status}: ${text.slice(0, 200)}`);
  }
  if (!answer.ok) throw new Error(document_.error || `HTTP ${answer.status}`);
  return document_;
}

function modelPath(version) {
  const name = `/v1/models/${encodeURIComponent(state.model)}`;
  return version ? `${name}/versions/${version}` : name;
}

function row(...cells) {
  const made = document.createElement("tr");
  for (const cell of cells) {
    const td = document.createElement("td");
    if (cell instanceof Node) td.append(cell);
    else td.textContent = cell;
    made.append(td);
  }
  return made;
}

function styled(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Put options into a select, and keep what was chosen where it is still there. */
function fill(select, values, label = (value) => value) {
  const before = select.value;
  select.replaceChildren(...values.map((value) => new Option(label(value), value)));
  if (values.includes(before)) select.value = before;
}

const STATE_CLASS = { AVAILABLE: "good", END: "faint" };

async function showVersions() {
  const found = (await fetchJson(modelPath())).model_version_status || [];
  element("versions").replaceChildren(
    ...found.map(({ version, state: now, status }) => {
      const failed = status && status.error_code !== "OK";
      return row(version, styled("span", now, failed ? "bad" : STATE_CLASS[now] || ""), failed ? status.error_message : "");
    }),
  );
  const available = found.filter((one) => one.state === "AVAILABLE").map((one) => one.version);
  const changed = available.join() !== state.versions.join();
  state.versions = available;
  fill(element("version"), available);
  return changed;
}

async function showSignatures() {
  const version = element("version").value;
  element("send").disabled = !version;
  if (!version) return;
  const found = (await fetchJson(`${modelPath(version)}/metadata`)).metadata.signature_def.signature_def;
  // The signature of the initialiser is not for clients
  state.signatures = Object.fromEntries(Object.entries(found).filter(([key]) => !key.startsWith("__saved_model_init")));
  const keys = Object.keys(state.signatures).sort((a, b) => (b === "serving_default") - (a === "serving_default") || a.localeCompare(b));
  fill(element("signature"), keys);
  showSignature();
}

function sizes(info) {
  if (info.tensor_shape.unknown_rank) return null;
  return (info.tensor_shape.dim || []).map((dim) => Number(dim.size));
}

function shapeText(info) {
  const shape = sizes(info);
  if (shape === null) return "any";
  return shape.length ? shape.map((size) => (size < 0 ? "?" : size)).join(" × ") : "a single value";
}

function showSignature() {
  const signature = state.signatures[element("signature").value];
  const rows = [];
  for (const side of ["input", "output"]) {
    for (const [name, info] of Object.entries(signature[`${side}s`])) {
      rows.push(row(side, styled("code", name), info.dtype.replace(/^DT_/, "").toLowerCase(), shapeText(info)));
    }
  }
  element("tensors").replaceChildren(...rows);
  state.example = exampleBody(element("signature").value, signature);
  element("body").value = state.example;
  showCommand();
}

function verb() {
  const method = state.signatures[element("signature").value].method_name;
  return { "tensorflow/serving/classify": "classify", "tensorflow/serving/regress": "regress" }[method] || "predict";
}

/** Return a value of a tensor's shape: one example, where the first dimension is free. */
function exampleValue(dtype, shape) {
  if (!shape.length) {
    if (dtype === "DT_STRING") return "text";
    if (dtype === "DT_BOOL") return false;
    return 0;
  }
  const inner = exampleValue(dtype, shape.slice(1));
  return Array.from({ length: shape[0] < 0 ? 1 : shape[0] }, () => inner);
}

function exampleBody(key, signature) {
  if (verb() !== "predict") return JSON.stringify({ signature_name: key, examples: [{}] }, null, 2);
  const inputs = {};
  for (const [name, info] of Object.entries(signature.inputs)) inputs[name] = exampleValue(info.dtype, sizes(info) || [1]);
  const parts = Object.entries(inputs).map(([name, value]) => `    ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n  "signature_name": ${JSON.stringify(key)},\n  "inputs": {\n${parts.join(",\n")}\n  }\n}`;
}

function quoted(text) {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

function address() {
  return `${modelPath(element("version").value)}:${verb()}`;
}

function showCommand() {
  const body = element("body").value;
  element("about-body").textContent = `POST ${address()}`;
  const shown = body.length > LARGE ? "@request.json" : body.replace(/\s*\n\s*/g, " ");
  element("curl").textContent = `curl ${location.origin}${address()} -d ${shown === "@request.json" ? shown : quoted(shown)}`;
}

async function send(event) {
  event.preventDefault();
  const button = element("send");
  button.disabled = true;
  element("verdict").className = "faint";
  element("verdict").textContent = "Asking …";
  const began = performance.now();
  try {
    const answer = await fetch(address(), { method: "POST", body: element("body").value });
    const text = await answer.text(); // shown as it came: numbers of 64 bits would not survive JSON.parse
    const took = performance.now() - began;
    element("verdict").className = answer.ok ? "good" : "bad";
    element("verdict").textContent = `${answer.ok ? "Answered" : "Refused"}: HTTP ${answer.status} after ${took.toFixed(1)} ms`;
    element("answer").textContent = text.length > LARGE ? `${text.slice(0, LARGE)} …` : text;
    element("answer").hidden = false;
  } catch (error) {
    element("verdict").className = "bad";
    element("verdict").textContent = `No answer: ${error.message}`;
    element("answer").hidden = true;
  } finally {
    button.disabled = false;
  }
}

async function told(work) {
  try {
    await work();
    element("problem").textContent = "";
  } catch (error) {
    element("problem").textContent = error.message;
  }
}

async function choose(model) {
  state.model = model;
  state.versions = [];
  element("title").textContent = model;
  document.title = `${model} · models`;
  element("answer").hidden = true;
  element("verdict").textContent = "";
  await showVersions();
  await showSignatures();
}

async function refresh() {
  if (document.hidden || !state.model || !(await showVersions())) return;
  const typed = element("body").value;
  const edited = typed !== state.example;
  await showSignatures();
  if (edited) {
    element("body").value = typed;
    showCommand();
  }
}

async function start() {
  const { models } = await fetchJson("/ui/models.json");
  fill(element("model"), models);
  element("picker").hidden = models.length < 2;
  if (models.length) await choose(models[0]);
  else throw new Error("no model is configured");
}

element("model").addEventListener("change", () => told(() => choose(element("model").value)));
element("version").addEventListener("change", () => told(showSignatures));
element("signature").addEventListener("change", () => told(async () => showSignature()));
element("body").addEventListener("input", showCommand);
element("body").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element("form").requestSubmit();
});
element("restore").addEventListener("click", () => {
  element("body").value = state.example;
  showCommand();
});
element("form").addEventListener("submit", send);
setInterval(() => told(refresh), POLL_MS);
told(start);
