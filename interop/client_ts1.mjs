// The TypeScript SDK, first generation (`@modelcontextprotocol/sdk` 1.x), against a server: see features.mjs.

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

import { answerForm, askingFor, CAPABILITIES, endSession, Events, NONCE, options, ROOT, run, SAMPLED } from './features.mjs';

const given = options();
const [target, ...args] = given.target;
const transports = {
  stdio: () => new StdioClientTransport({ command: target, args, env: process.env }),
  'http-sse': () => new SSEClientTransport(new URL(target)),
  'streamable-http': () => new StreamableHTTPClientTransport(new URL(target))
};
const transport = askingFor(given.mode, transports[given.transport]());

// The SDK tells its transport the revision, and nobody else.
let revision;
const told = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (version) => {
  revision = version;
  told?.(version);
};

const client = {
  modern: false, // This generation knows nothing of 2026-07-28.
  modernFromThere: given.mode === 'auto', // But mcp-remote does, if it is told to.
  events: new Events(transport),
  // Clients that introduce themselves alike share what they tell a legacy server, such as their roots.
  sdk: new Client({ name: `interop-ts1-${NONCE}`, version: '1' }, { capabilities: CAPABILITIES }),

  async connect() {
    await this.sdk.connect(transport);
    return `${this.sdk.getServerVersion().name} ${revision}`;
  },

  list(kind, cursor) {
    const verbs = {
      tools: 'listTools',
      prompts: 'listPrompts',
      resources: 'listResources',
      resourceTemplates: 'listResourceTemplates'
    };
    return this.sdk[verbs[kind]]({ cursor });
  },

  call(name, args, { onprogress, signal }) {
    return this.sdk.callTool({ name, arguments: args }, undefined, { onprogress, signal });
  },

  async subscribe(uri) {
    await this.sdk.subscribeResource({ uri });
    return () => this.sdk.unsubscribeResource({ uri });
  },

  async listen() {
    return () => {}; // A legacy server tells everybody.
  },

  async close() {
    const ended = given.transport === 'streamable-http' ? await endSession(transport, target) : '';
    await this.sdk.close();
    return ended;
  }
};

const answer = (schema, answered) =>
  client.sdk.setRequestHandler(schema, ({ method, params }) => {
    client.events.add('asked', method);
    return answered(params);
  });
answer(types.CreateMessageRequestSchema, () => SAMPLED);
answer(types.ElicitRequestSchema, (params) => answerForm(params.requestedSchema));
answer(types.ListRootsRequestSchema, () => ({ roots: [ROOT] }));

const on = (schema, kind, value) =>
  client.sdk.setNotificationHandler(schema, ({ params }) => client.events.add(kind, value(params)));
on(types.LoggingMessageNotificationSchema, 'log', (params) => params.data);
on(types.ResourceUpdatedNotificationSchema, 'updated', (params) => params.uri);
on(types.ToolListChangedNotificationSchema, 'list_changed', () => 'tools');
on(types.ResourceListChangedNotificationSchema, 'list_changed', () => 'resources');

await run(client, given);
