// The TypeScript SDK, second generation (`@modelcontextprotocol/client` 2.x), against a server: see features.mjs.

import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

import { answerForm, askingFor, CAPABILITIES, endSession, Events, NONCE, OLDER, options, ROOT, run, SAMPLED } from './features.mjs';

const given = options();
const [target, ...args] = given.target;
const transports = {
  stdio: () => new StdioClientTransport({ command: target, args, env: process.env }),
  'http-sse': () => new SSEClientTransport(new URL(target)),
  'streamable-http': () => new StreamableHTTPClientTransport(new URL(target))
};
const transport = askingFor(given.mode, transports[given.transport]());

const client = {
  events: new Events(transport),
  sdk: new Client(
    // Clients that introduce themselves alike share what they tell a legacy server, such as their roots.
    { name: `interop-ts2-${NONCE}`, version: '1' },
    { capabilities: CAPABILITIES, versionNegotiation: { mode: OLDER.includes(given.mode) ? 'legacy' : given.mode } }
  ),

  async connect() {
    await this.sdk.connect(transport);
    this.modern = this.sdk.getProtocolEra() === 'modern';
    return `${this.sdk.getServerVersion()?.name} ${this.sdk.getNegotiatedProtocolVersion()}`;
  },

  // Not by listTools() and its like: those collect all pages by themselves.
  list(kind, cursor) {
    const methods = {
      tools: 'tools/list',
      prompts: 'prompts/list',
      resources: 'resources/list',
      resourceTemplates: 'resources/templates/list'
    };
    return this.sdk.request({ method: methods[kind], params: { cursor } });
  },

  call(name, args, { onprogress, signal }) {
    const _meta = this.modern ? { 'io.modelcontextprotocol/logLevel': 'debug' } : undefined;
    return this.sdk.callTool({ name, arguments: args, _meta }, { onprogress, signal });
  },

  async subscribe(uri) {
    if (this.modern) {
      const subscription = await this.sdk.listen({ resourceSubscriptions: [uri] });
      return () => subscription.close();
    }
    await this.sdk.subscribeResource({ uri });
    return () => this.sdk.unsubscribeResource({ uri });
  },

  async listen(kind) {
    if (!this.modern) return () => {}; // A legacy server tells everybody.
    const subscription = await this.sdk.listen({ [`${kind}ListChanged`]: true });
    return () => subscription.close();
  },

  async close() {
    const ended = given.transport === 'streamable-http' ? await endSession(transport, target) : '';
    await this.sdk.close();
    return ended;
  }
};

const answer = (method, answered) =>
  client.sdk.setRequestHandler(method, ({ params }) => {
    client.events.add('asked', method);
    return answered(params);
  });
answer('sampling/createMessage', () => SAMPLED);
answer('elicitation/create', (params) => answerForm(params.requestedSchema));
answer('roots/list', () => ({ roots: [ROOT] }));

const on = (method, kind, value) =>
  client.sdk.setNotificationHandler(method, ({ params }) => client.events.add(kind, value(params)));
on('notifications/message', 'log', (params) => params.data);
on('notifications/resources/updated', 'updated', (params) => params.uri);
on('notifications/tools/list_changed', 'list_changed', () => 'tools');
on('notifications/resources/list_changed', 'list_changed', () => 'resources');

await run(client, given);
