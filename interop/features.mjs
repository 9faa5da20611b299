// What every TypeScript client tries, whichever SDK generation it is built on: the counterpart of features.py.
//
// A client script wraps its SDK in an object of its own (client_ts1.mjs, client_ts2.mjs) and hands it to `run`.
// One JSON line per feature goes to stdout: {feature, ok, detail}; `ok` is null where the fixture has nothing to try.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const CHECK_MS = 20_000; // No feature takes longer than about 2 s on a busy machine: this is for hangs.
const CALLS_AT_ONCE = 20;

const INVALID_PARAMS = -32602;
const KEYS = { tools: 'name', prompts: 'name', resources: 'uri', resourceTemplates: 'uriTemplate' };

export const NONCE = randomUUID().slice(0, 12);
export const ROOT = { uri: `file:///interop/${NONCE}`, name: `root-${NONCE}` };
export const SAMPLED = {
  role: 'assistant',
  content: { type: 'text', text: `sampled-${NONCE}` },
  model: 'none',
  stopReason: 'endTurn'
};
export const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

class NotInFixture extends Error {}

/** What the server has sent by itself, with a way to wait for it. */
export class Events {
  #seen = [];
  #waiting = new Set();

  add(kind, value) {
    this.#seen.push({ kind, value });
    for (const look of [...this.#waiting]) look();
  }

  wait(kind, accept = () => true) {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.#seen.find((event) => event.kind === kind && accept(event.value));
        if (found) {
          this.#waiting.delete(look);
          resolve(found.value);
        }
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** An answer to an elicitation: the nonce wherever a plain string fits. */
export function answerForm(schema) {
  const formats = { plain: NONCE, email: `${NONCE}@example.com` };
  const content = {};
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    if (field.type === 'boolean') content[key] = true;
    const text = formats[field.format ?? 'plain'];
    if (field.type === 'string' && text && !field.enum && !field.oneOf) content[key] = text;
  }
  return { action: 'accept', content };
}

/** The command line of a client script. */
export function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      fixture: { type: 'string', default: 'everything' },
      mode: { type: 'string', default: 'legacy' },
      'server-era': { type: 'string', default: 'both' },
      transport: { type: 'string' }
    }
  });
  return { ...values, target: positionals };
}

function assert(condition, ...said) {
  if (!condition) throw new Error(said.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '));
}

function emit(feature, ok, detail) {
  process.stdout.write(JSON.stringify({ feature, ok, detail: String(detail ?? '').slice(0, 300) }) + '\n');
}

const textOf = (result) => result.content.map((item) => item.text ?? '').join('\n');

/** The features, in the order in which they are tried. */
class Checks {
  constructor(client, fixture, serverEra) {
    this.client = client;
    this.serverEra = serverEra;
    this.fixture = JSON.parse(readFileSync(new URL('fixtures.json', import.meta.url)))[fixture];
  }

  /** What the fixture says of a feature, for the era that was negotiated, or that Crossway translates. */
  plan(feature) {
    let plan = this.fixture[feature];
    if (plan && 'legacy' in plan) {
      const translated = this.client.modern && this.serverEra === 'legacy';
      const era = translated ? 'translated' : this.client.modern ? 'modern' : 'legacy';
      plan = era in plan ? plan[era] : plan.legacy;
    }
    if (!plan) throw new NotInFixture('the fixture has nothing for this');
    return plan;
  }

  async used(plan, more = {}) {
    const result = await this.client.call(plan.tool, plan.arguments, more);
    assert(!result.isError, 'isError:', textOf(result));
    return textOf(result);
  }

  async echo(message) {
    const plan = this.plan('echo');
    const answer = await this.used({ tool: plan.tool, arguments: { [plan.argument]: message } });
    assert(answer.includes(message), `echo of '${message}' answered '${answer}'`);
  }

  /** All pages of a list, each asked for with the cursor of the one before. */
  async walk(kind) {
    const pages = [];
    const cursors = new Set();
    let cursor;
    do {
      const page = await this.client.list(kind, cursor);
      pages.push(page[kind]);
      cursor = page.nextCursor;
      assert(!cursors.has(cursor), `the cursor '${cursor}' came twice`);
      cursors.add(cursor);
    } while (cursor !== undefined);
    const keys = pages.flat().map((item) => item[KEYS[kind]]);
    assert(new Set(keys).size === keys.length, 'an item came twice:', keys);
    return pages;
  }

  async listAll(kind) {
    const items = (await this.walk(kind)).flat();
    assert(items.length > 0, `no ${kind}`);
    return items.length;
  }

  static features = {
    tools: (t) => t.listAll('tools'),
    prompts: (t) => t.listAll('prompts'),
    resources: (t) => t.listAll('resources'),
    templates: (t) => t.listAll('resourceTemplates'),

    // As many pages as the fixture has: no item is lost on the way, nobody joins them, and cursors are the server's own.
    paging: async (t) => {
      const plan = Object.entries(t.plan('paging'));
      for (const [kind, expect] of plan) {
        const sizes = (await t.walk(kind)).map((page) => page.length);
        const items = sizes.reduce((sum, size) => sum + size, 0);
        assert(sizes.length === expect.pages && items === expect.items, `${kind} came in pages of`, sizes);
        const refused = await t.client.list(kind, `not-a-cursor-${NONCE}`).then(
          () => 'taken',
          (error) => error.code ?? error.message
        );
        assert(refused === INVALID_PARAMS, `a cursor that ${kind} never had:`, refused);
      }
      return plan.map(([kind, expect]) => `${kind}: ${expect.pages} pages`).join(', ');
    },

    call: (t) => t.echo(`hello ${NONCE} \u00fc\u4e16\u{1f30d}`),

    // Servers may refuse an unknown tool with an error, or answer with a result that says `isError`.
    call_unknown: async (t) => {
      let said;
      try {
        const result = await t.client.call('no-such-tool', {}, {});
        said = result.isError ? textOf(result) : 'a result';
      } catch (error) {
        said = error.message;
      }
      assert(/nknown|not found|no-such-tool/i.test(said), 'an unknown tool gave', said);
      await t.echo('after an error');
    },

    read: async (t) => {
      const plan = t.plan('resource');
      const contents = JSON.stringify((await t.client.sdk.readResource({ uri: plan.uri })).contents);
      assert(contents.replaceAll('\\', '').includes(plan.expect), contents);
    },

    prompt: async (t) => {
      const plan = t.plan('prompt');
      const { messages } = await t.client.sdk.getPrompt({ name: plan.name, arguments: plan.arguments });
      assert(JSON.stringify(messages).includes(plan.expect), messages);
    },

    completion: async (t) => {
      const plan = t.plan('completion');
      const { values } = (await t.client.sdk.complete({ ref: plan.ref, argument: plan.argument })).completion;
      assert(plan.expect === null || values.includes(plan.expect), values);
      return values.slice(0, 3);
    },

    ping: async (t) => {
      if (t.client.modern) throw new NotInFixture('2026-07-28 has no ping');
      await t.client.sdk.ping();
    },

    progress: async (t) => {
      const plan = t.plan('progress');
      const seen = [];
      // The SDK tells of its own rounds of input in the same way.
      const isServers = (note) => !note.message?.startsWith('Fulfilling input');
      await t.used(plan, { onprogress: (note) => isServers(note) && seen.push(note) });
      assert(seen.length >= plan.at_least, `only ${seen.length} progress notifications`);
      assert(seen.every((note, i) => note.total === plan.total && note.progress >= (seen[i - 1]?.progress ?? 0)), seen);
      return `${seen.length} notifications`;
    },

    cancellation: async (t) => {
      const controller = new AbortController();
      const outcome = await t
        .used(t.plan('slow'), { onprogress: () => controller.abort('interop'), signal: controller.signal })
        .then(() => 'answered', () => 'cancelled');
      assert(outcome === 'cancelled', 'the cancelled call was answered');
      await t.echo('after a cancel');
    },

    sampling: async (t) => {
      const answer = await t.used(t.plan('sampling'));
      assert(answer.includes(`sampled-${NONCE}`), answer);
    },

    elicitation: async (t) => {
      const answer = await t.used(t.plan('elicitation'));
      assert(answer.includes(NONCE), answer);
    },

    roots: async (t) => {
      const answer = await t.used(t.plan('roots'));
      assert(answer.includes(ROOT.name) || answer.includes(ROOT.uri), answer);
    },

    subscription: async (t) => {
      const plan = t.plan('subscription');
      const stop = await t.client.subscribe(plan.uri);
      await t.used(plan.on);
      await t.client.events.wait('updated', (uri) => uri === plan.uri);
      if (plan.off) await t.used(plan.off);
      await stop();
    },

    list_changed: async (t) => {
      const plan = t.plan('list_changed');
      const stop = await t.client.listen(plan.kind);
      await t.used(plan);
      await t.client.events.wait('list_changed', (kind) => kind === plan.kind);
      await stop();
    },

    logging: async (t) => {
      const plan = t.plan('logging');
      if (!t.client.modern) await t.client.sdk.setLoggingLevel('debug');
      const stop = plan.by === 'subscribe' ? await t.client.subscribe(plan.uri) : await t.used(plan);
      await t.client.events.wait('log', (data) => JSON.stringify(data).includes(plan.expect));
      if (plan.by === 'subscribe') await stop();
    },

    at_once: async (t) => {
      const calls = Array.from({ length: CALLS_AT_ONCE }, (_, number) => t.echo(`call ${number} of ${NONCE};`));
      await Promise.all(calls);
      return `${CALLS_AT_ONCE} calls`;
    }
  };
}

/** Ends a Streamable HTTP session, and sees that it is refused from then on. */
export async function endSession(transport, url) {
  const session = transport.sessionId;
  if (!session) return 'no session';
  await transport.terminateSession();
  const headers = {
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-session-id': session
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const { status } = await fetch(url, { method: 'POST', headers, body });
  assert(status === 400 || status === 404, `a request after the DELETE answered ${status}`);
  return `DELETE, then ${status}`;
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${CHECK_MS / 1000} s`)), CHECK_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Connects, tries everything, says how each went, and exits 1 if anything failed. */
export async function run(client, { fixture, 'server-era': serverEra }) {
  let failures = 0;
  const attempt = async (feature, check) => {
    try {
      emit(feature, true, await within(check()));
      return true;
    } catch (error) {
      if (error instanceof NotInFixture) {
        emit(feature, null, error.message);
      } else {
        failures += 1;
        emit(feature, false, `${error.name}: ${error.message}`);
      }
      return false;
    }
  };
  if (await attempt('initialize', () => client.connect())) {
    const checks = new Checks(client, fixture, serverEra);
    for (const [feature, check] of Object.entries(Checks.features)) await attempt(feature, () => check(checks));
    await attempt('close', () => client.close());
  }
  process.exit(failures ? 1 : 0);
}
