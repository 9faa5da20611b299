// The same as hello.py, on Node.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

function mayWrite(folder) {
  try {
    writeFileSync(join(folder, "hello"), "hello");
    return true;
  } catch {
    return false;
  }
}

function answer(method, params) {
  if (method === "initialize") {
    const serverInfo = { name: "hello", version: "0" };
    return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo };
  }
  if (method === "tools/list") return { tools: [{ name: "hello", inputSchema: { type: "object" } }] };
  const said = { runs_on: "node", uid: process.getuid(), home: mayWrite(process.env.HOME), root: mayWrite("/usr") };
  return { content: [{ type: "text", text: JSON.stringify(said) }] };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) continue;
  const known = ["initialize", "tools/list", "tools/call"].includes(method);
  const end = known ? { result: answer(method, params) } : { error: { code: -32601, message: "no such method" } };
  console.log(JSON.stringify({ jsonrpc: "2.0", id, ...end }));
}
