// What every TypeScript client tries, whichever SDK generation it is built on: the counterpart of features.py.
//
// A client script wraps its SDK in an object of its own (client_ts1.mjs, client_ts2.mjs) and hands it to `run`.
// One JSON line per feature goes to stdout: {feature, ok, detail, absent}; features.py says what they mean.

import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const CHECK_MS = 30_000; // No feature takes longer than about 2 s on a busy machine: this is for hangs.
const CALLS_AT_ONCE = 20;
// Of a legacy server on stdio four calls at once that may ask a modern client something have a process each; more wait, or start another.
const TRANSLATED_AT_ONCE = 5;

// Revisions that a client of a later one can be made to ask for, and those of them that have no elicitation.
export const OLDER = ['2024-11-05', '2025-03-26', '2025-06-18'];
const WITHOUT_ELICITATION = OLDER.slice(0, 2);

const INVALID_PARAMS = -32602;
const KEYS = { tools: 'name', prompts: 'name', resources: 'uri', resourceTemplates: 'uriTemplate' };

export const NONCE = randomUUID().slice(0, 12);
// Servers look whether a root is there.
const ROOT_PATH = mkdtempSync(path.join(realpathSync(tmpdir()), `interop-${NONCE}-`));
export const ROOT = { uri: pathToFileURL(ROOT_PATH).href, name: `root-${NONCE}` };
export const SAMPLED = {
  role: 'assistant',
  content: { type: 'text', text: `sampled-${NONCE}` },
  model: 'none',
  stopReason: 'endTurn'
};
export const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

// What a server declares if it has a feature. The others are declared by nobody, or by clients.
const DECLARED = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources'],
  templates: ['resources'],
  prompt: ['prompts'],
  resource: ['resources'],
  completion: ['completions'],
  subscription: ['resources.subscribe'],
  list_changed: ['tools.listChanged', 'prompts.listChanged', 'resources.listChanged'],
  logging: ['logging']
};

/** There is nothing to try, and the reason why. */
class Absent extends Error {
  constructor(kind, detail) {
    super(detail);
    this.kind = kind;
  }
}

/** What the server has sent by itself, with a way to wait for it. */
export class Events {
  #seen = [];
  #waiting = new Set();

  /**
   * Sees progress where it arrives: the SDKs drop what comes in one piece with the answer, as they take the answer's handler away at
   * once and tell of progress a turn later. They leave a handler of messages that was there before theirs in its place.
   */
  constructor(transport) {
    transport.onmessage = ({ method, params }) => {
      if (method === 'notifications/progress') this.add('progress', params);
    };
  }

  /** Also ('asked', METHOD) for each request of the server's. */
  add(kind, value) {
    this.#seen.push({ kind, value });
    for (const look of [...this.#waiting]) look();
  }

  of(kind) {
    return this.#seen.filter((event) => event.kind === kind).map(({ value }) => value);
  }

  has(kind, accept = () => true) {
    return this.#seen.some((event) => event.kind === kind && accept(event.value));
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
      fixtures: { type: 'string', default: fileURLToPath(new URL('fixtures.json', import.meta.url)) },
      mode: { type: 'string', default: 'legacy' },
      'server-era': { type: 'string', default: 'both' },
      dir: { type: 'string', default: '.' }, // What $DIR means in fixtures.json.
      transport: { type: 'string' }
    }
  });
  return { ...values, target: positionals };
}

function assert(condition, ...said) {
  if (!condition) throw new Error(said.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '));
}

function emit(feature, ok, detail, absent) {
  process.stdout.write(JSON.stringify({ feature, ok, detail: String(detail ?? '').slice(0, 300), absent }) + '\n');
}

const textOf = (result) => result.content.map((item) => item.text ?? '').join('\n');

/** The features, in the order in which they are tried. */
class Checks {
  constructor(client, { fixture, fixtures, dir, mode, 'server-era': serverEra }) {
    this.client = client;
    this.mode = mode;
    this.serverEra = serverEra;
    let text = readFileSync(fixtures, 'utf8');
    const places = { $DIR: dir, $ROOT: ROOT_PATH, $NONCE: NONCE };
    for (const [name, value] of Object.entries(places)) text = text.replaceAll(name, value);
    this.fixture = JSON.parse(text)[fixture];
  }

  /** What the fixture says of a feature, for the era that was negotiated, or that Crossway translates. */
  plan(feature) {
    let plan = this.fixture[feature];
    if (plan && 'legacy' in plan) {
      const era = this.translated ? 'translated' : this.isModern ? 'modern' : 'legacy';
      plan = era in plan ? plan[era] : plan.legacy;
    }
    if (!plan) this.undeclared(feature);
    if ('absent' in plan) throw new Absent(plan.absent, plan.why);
    for (const kind of ['unused', 'impossible']) {
      if (!(kind in plan)) continue;
      assert(!this.client.events.has(feature), `the fixture does not know of this server's ${feature}`);
      throw new Absent(kind, plan[kind]);
    }
    return plan;
  }

  /** Whether a modern client is on a legacy server, or any client on one that Crossway has among others. */
  get translated() {
    return this.serverEra === 'translated' || (this.isModern && this.serverEra === 'legacy');
  }

  /** Whether what Crossway meets is modern: the client, or what stands between them. */
  get isModern() {
    return this.client.modern || (this.client.modernFromThere ?? false);
  }

  /** A feature that the fixture does not name has to be one that the server does not declare. */
  undeclared(feature) {
    for (const path of DECLARED[feature] ?? []) {
      const found = path.split('.').reduce((object, key) => object?.[key], this.client.sdk.getServerCapabilities());
      // An empty object declares as much as a full one.
      assert(found === undefined || found === false, `the server declares ${path}, and the fixture does not know of it`);
    }
    if (feature in DECLARED) throw new Absent('undeclared', DECLARED[feature].join(' '));
    throw new Absent('unused', "nothing of this server's shows it");
  }

  async used(plan, more = {}) {
    const result = await this.client.call(plan.tool, plan.arguments ?? {}, more);
    const text = textOf(result);
    assert((result.isError ?? false) === (plan.is_error ?? false), 'isError:', text);
    assert(text.includes(plan.expect ?? ''), text);
    return text;
  }

  /** Some servers echo in their errors alone. */
  async echo(message, more) {
    const plan = this.plan('echo');
    const args = JSON.parse(JSON.stringify(plan.arguments).replace('$MESSAGE', message));
    const answer = await this.used({ ...plan, arguments: args }, more);
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
    const feature = kind === 'resourceTemplates' ? 'templates' : kind;
    if (!(feature in this.fixture.lists)) this.undeclared(feature);
    const pages = await this.walk(kind);
    const items = pages.flat().length;
    assert(items > 0 === (this.fixture.lists[feature] === 'some'), `${items} ${kind}`);
    assert('paging' in this.fixture || pages.length === 1, `${pages.length} pages of ${kind}`);
    return items;
  }

  /** A server that has nothing with which it would ask does not ask. */
  unasked(method) {
    if (method.split('/')[0] in this.fixture) return;
    assert(!this.client.events.has('asked', (asked) => asked === method), `the server has sent ${method}`);
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

    call: async (t) => {
      await t.echo(`hello ${NONCE} \u00fc\u4e16\u{1f30d}`);
      if (t.fixture.call) await t.used(t.fixture.call);
    },

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
      if (t.client.modern) throw new Absent('impossible', 'ping');
      await t.client.sdk.ping();
    },

    progress: async (t) => {
      const before = t.client.events.of('progress').length;
      const told = [];
      // The SDK tells of its own rounds of input in the same way.
      const isServers = (note) => !note.message?.startsWith('Fulfilling input');
      const onprogress = (note) => isServers(note) && told.push(note.progress);
      if (!t.fixture.progress) {
        await t.echo('with a progress token', { onprogress });
        assert(t.client.events.of('progress').length === before, "the fixture does not know of the server's progress");
        t.undeclared('progress');
      }
      const plan = t.plan('progress');
      await t.used(plan, { onprogress });
      const seen = t.client.events.of('progress').slice(before);
      assert(seen.length === plan.sends, `${seen.length} progress notifications, not ${plan.sends}`);
      assert(seen.every((note, i) => note.total === plan.total && note.progress >= (seen[i - 1]?.progress ?? 0)), seen);
      assert(told.every((progress, i) => progress === seen[i].progress), told, 'of', seen);
      return `${seen.length} notifications`;
    },

    // Where nothing takes long the answer may win: then all that is seen is that the session goes on.
    cancellation: async (t) => {
      if (t.client.modernFromThere) throw new Absent('impossible', 'posted-cancel');
      const plan = t.fixture.slow;
      const controller = new AbortController();
      const { signal } = controller;
      const outcome = (call) => call.then(() => 'answered', () => 'cancelled');
      if (plan) {
        const ended = await outcome(t.used(plan, { onprogress: () => controller.abort('interop'), signal }));
        assert(ended === 'cancelled', 'the cancelled call was answered');
      } else {
        const call = outcome(t.echo('to be cancelled', { signal }));
        await new Promise((resolve) => setImmediate(resolve));
        controller.abort('interop');
        await call;
      }
      await t.echo('after a cancel');
      return plan ? '' : 'the session goes on';
    },

    sampling: async (t) => {
      t.unasked('sampling/createMessage');
      const answer = await t.used(t.plan('sampling'));
      assert(answer.includes(`sampled-${NONCE}`), answer);
    },

    elicitation: async (t) => {
      if (WITHOUT_ELICITATION.includes(t.mode)) throw new Absent('impossible', 'elicitation');
      t.unasked('elicitation/create');
      const answer = await t.used(t.plan('elicitation'));
      assert(answer.includes(NONCE), answer);
    },

    roots: async (t) => {
      t.unasked('roots/list');
      const plan = t.plan('roots');
      if (plan.by === 'itself') {
        // It asks when the session begins, and takes its time with the answer.
        await t.client.events.wait('asked', (method) => method === 'roots/list');
        while (!(await t.used(plan)).includes(plan.shown));
      } else {
        const answer = await t.used(plan);
        assert(answer.includes(ROOT.name) || answer.includes(ROOT.uri), answer);
      }
    },

    subscription: async (t) => {
      const plan = t.plan('subscription');
      if (t.client.modernFromThere) throw new Absent('impossible', 'late-listen');
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
      const stop = plan.by === 'subscribe' ? await t.client.subscribe(plan.uri) : await t.used(plan.on);
      // A message reaches a modern client in the course of a call alone, and of one in the same session of a pool.
      const said = (data) => JSON.stringify(data).includes(plan.says);
      for (let calls = 1; plan.during && !t.client.events.has('log', said); calls += 1) {
        await t.used(plan.during);
        if (calls % plan.again_after === 0) await t.used(plan.on);
      }
      await t.client.events.wait('log', said);
      if (plan.by === 'subscribe') await stop();
    },

    at_once: async (t) => {
      const length = t.translated ? TRANSLATED_AT_ONCE : CALLS_AT_ONCE;
      await Promise.all(Array.from({ length }, (_, number) => t.echo(`call ${number} of ${NONCE};`)));
      return `${length} calls`;
    }
  };
}

/**
 * Has a client's `initialize` ask for a revision, if the mode is one: there is no other way to be an older client, which is
 * what most servers meet.
 */
export function askingFor(mode, transport) {
  if (!OLDER.includes(mode)) return transport;
  const send = transport.send.bind(transport);
  transport.send = (message, ...more) => {
    const { method, params } = message;
    const asks = method === 'initialize' ? { ...message, params: { ...params, protocolVersion: mode } } : message;
    return send(asks, ...more);
  };
  return transport;
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
export async function run(client, options) {
  let failures = 0;
  const attempt = async (feature, check) => {
    try {
      emit(feature, true, await within(check()));
      return true;
    } catch (error) {
      if (error instanceof Absent) {
        emit(feature, null, error.message, error.kind);
      } else {
        failures += 1;
        emit(feature, false, `${error.name}: ${error.message}`);
      }
      return false;
    }
  };
  const connect = async () => {
    const about = await client.connect();
    const { mode } = options;
    assert(!OLDER.includes(mode) || about.includes(mode), 'not the revision that was asked for:', about);
    return about;
  };
  if (await attempt('initialize', connect)) {
    const checks = new Checks(client, options);
    for (const [feature, check] of Object.entries(Checks.features)) await attempt(feature, () => check(checks));
    await attempt('close', () => client.close());
  }
  rmSync(ROOT_PATH, { recursive: true });
  process.exit(failures ? 1 : 0);
}
