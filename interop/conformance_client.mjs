// The client that the conformance suite starts for its client scenarios: it takes the suite's server through Crossway.
//
//   conformance_client.mjs (--via direct | bridge | stdio) [--crossway PATH] URL      (the suite adds the URL)
//
// bridge: starts `crossway bridge --upstream URL` and connects to its Streamable HTTP face.
// stdio:  starts `crossway stdio URL` as its server.
// What a scenario wants is told by MCP_CONFORMANCE_SCENARIO, _CONTEXT and _PROTOCOL_VERSION.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: { via: { type: 'string', default: 'direct' }, crossway: { type: 'string' } }
});
const url = positionals[0];
const { MCP_CONFORMANCE_SCENARIO: scenario, MCP_CONFORMANCE_PROTOCOL_VERSION: revision } = process.env;
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}');

/** Starts a bridge before the suite's server, and gives the URL of its Streamable HTTP face. */
async function bridge() {
  const child = spawn(given.crossway, ['bridge', '--listen', '127.0.0.1:0', '--upstream', url], {
    stdio: ['ignore', 'pipe', 'inherit']
  });
  process.on('exit', () => child.kill());
  for await (const line of createInterface({ input: child.stdout })) {
    const [found] = line.match(/http:\/\/\S+\/mcp\b/) ?? [];
    if (found) return new URL(found);
  }
  throw new Error('the bridge ended without printing its URL');
}

const transports = {
  direct: () => new StreamableHTTPClientTransport(new URL(url)),
  bridge: async () => new StreamableHTTPClientTransport(await bridge()),
  stdio: () => new StdioClientTransport({ command: given.crossway, args: ['stdio', url], env: process.env })
};

const client = new Client(
  { name: 'interop', version: '1' },
  {
    capabilities: { elicitation: { form: { applyDefaults: true } } },
    versionNegotiation: { mode: revision >= '2026-07-28' ? 'auto' : 'legacy' }
  }
);
client.setRequestHandler('elicitation/create', ({ params }) => ({
  action: 'accept',
  content: params.requestedSchema.properties?.confirmed ? { confirmed: true } : {}
}));

const call = (name, args = {}) => client.callTool({ name, arguments: args });

const scenarios = {
  initialize: () => client.listTools(),
  'json-schema-ref-no-deref': () => client.listTools(),
  'request-metadata': () => client.listTools(),

  tools_call: async () => {
    const { tools } = await client.listTools();
    await call(tools[0].name, { a: 2, b: 3 });
  },

  'elicitation-sep1034-client-defaults': () => call('test_client_elicitation_defaults'),
  'sse-retry': () => call('test_reconnection'),

  'json-schema-2020-12-preservation': async () => {
    const { tools } = await client.listTools();
    const { inputSchema } = tools.find((tool) => tool.name === 'json_schema_2020_12_tool');
    await call('json_schema_echo', { schema: inputSchema });
  },

  'sep-2322-client-request-state': async () => {
    await client.listTools();
    for (const name of ['echo_state', 'unrelated', 'no_state']) await call(`test_mrtr_${name}`);
    await call('test_mrtr_no_result_type').catch(() => {}); // The SDK is strict here; the suite minds only a retry.
  },

  'http-standard-headers': async () => {
    const { tools } = await client.listTools();
    for (const { name } of tools) await call(name);
    const { resources } = await client.listResources();
    for (const { uri } of resources) await client.readResource({ uri });
    const { prompts } = await client.listPrompts();
    for (const { name } of prompts) await client.getPrompt({ name });
  },

  'http-custom-headers': async () => {
    await client.listTools();
    for (const { name, arguments: args } of context.toolCalls) await call(name, args);
  },

  'http-invalid-tool-headers': async () => {
    const { tools } = await client.listTools();
    for (const { name } of tools) await call(name, { region: 'somewhere' });
  }
};

await client.connect(await transports[given.via]());
await scenarios[scenario]();
await client.close();
process.exit(0);
