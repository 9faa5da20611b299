// Sends what is meant for api.github.com to a fake: NODE_OPTIONS="--require ./to_fake.js" FAKE_GITHUB=http://127.0.0.99
// @modelcontextprotocol/server-github has GitHub's address built in.
const fetch = globalThis.fetch;
globalThis.fetch = (url, options) => fetch(String(url).replace("https://api.github.com", process.env.FAKE_GITHUB), options);
