// A client of the tests: panva's oauth4webapi, told what to do by lines of JSON on standard input.
//   node client.mjs FOLDER ISSUER ORIGIN PROXY
// ORIGIN is what the proxy is called from outside; PROXY is where it listens. One line of JSON comes back for each.
import fs from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';
import * as oauth from 'oauth4webapi';

const [folder, issuerUrl, origin, proxy] = process.argv.slice(2);
const ca = fs.readFileSync(`${folder}/ca.pem`);
const redirect = 'https://portail.example/retour';

// `fetch` with our authority, perhaps with a client certificate, and to where the external origin really is.
const fetching = (certificate) => (url, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
  const asked = new URL(url);
  const place = asked.origin === origin ? new URL(proxy) : asked;
  const pair = certificate && { cert: fs.readFileSync(`${folder}/${certificate}.pem`), key: fs.readFileSync(`${folder}/${certificate}.key`) };
  const text = body === undefined || body === null ? undefined : body.toString();
  const request = https.request({
    host: place.hostname, port: place.port, path: asked.pathname + asked.search, method, ca, agent: false, timeout: 10_000, ...pair,
    // Not for an address (RFC 6066 section 3); and not the name that the Host field has.
    servername: /^[\d.]+$/.test(place.hostname) ? '' : place.hostname,
    headers: { ...Object.fromEntries(new Headers(headers)), host: asked.host, ...(text && { 'content-length': Buffer.byteLength(text) }) },
  }, (response) => {
    const parts = [];
    response.on('data', (part) => parts.push(part));
    response.on('end', () => {
      const list = Object.entries(response.headers).flatMap(([name, value]) => [value].flat().map((each) => [name, each]));
      resolve(new Response([204, 304].includes(response.statusCode) ? null : Buffer.concat(parts), { status: response.statusCode, headers: list }));
    });
  });
  request.on('error', reject);
  request.on('timeout', () => request.destroy(new Error('no answer in time')));
  request.end(text);
});

const issuer = new URL(issuerUrl);
const discovered = await oauth.discoveryRequest(issuer, { [oauth.customFetch]: fetching() });
const server = await oauth.processDiscoveryResponse(issuer, discovered);
const logins = new Map();

// A server asks for its nonce by refusing the first proof (RFC 9449 sections 8 and 9); the library has kept it by then.
async function withNonce(attempt) {
  try { return { ...await attempt(), retried: false }; } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return { ...await attempt(), retried: true };
  }
}

async function authorize(parameters) {
  let place = `${server.authorization_endpoint}?${new URLSearchParams(parameters)}`;
  const cookies = new Map();
  while (!place.startsWith(redirect)) {
    const response = await fetching()(place, { headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') } });
    for (const each of response.headers.getSetCookie()) cookies.set(...each.split(';')[0].split(/=(.*)/s).slice(0, 2));
    if (!response.headers.get('location')) throw new Error(`no redirect but ${response.status}`);
    place = new URL(response.headers.get('location'), place).href;
  }
  return new URL(place);
}

const verbs = {
  // Authorization code with PKCE; bound by DPoP, or by the certificate that the token is asked for with.
  async login({ name, client: client_id, person, acr, max_age = 3600, certificate }) {
    const client = { client_id };
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const landed = await authorize({
      client_id, redirect_uri: redirect, response_type: 'code', scope: 'openid droits', state, login_hint: person, acr_values: acr,
      max_age, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    });
    const code = oauth.validateAuthResponse(server, client, landed, state);
    const DPoP = certificate ? undefined : oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
    const { tokens, retried } = await withNonce(async () => {
      const options = { DPoP, [oauth.customFetch]: fetching(certificate) };
      const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), code, redirect, verifier, options);
      return { tokens: await oauth.processAuthorizationCodeResponse(server, client, response, { maxAge: max_age }) };
    });
    logins.set(name, { token: tokens.access_token, id_token: tokens.id_token, DPoP, certificate });
    return { token: tokens.access_token, type: tokens.token_type, retried };
  },

  // Client credentials (RFC 6749 section 4.4), or somebody's login exchanged (RFC 8693), by software with a certificate.
  async obtain({ name, client: client_id, certificate, subject }) {
    const client = { client_id };
    const options = { [oauth.customFetch]: fetching(certificate) };
    const grant = subject ? 'urn:ietf:params:oauth:grant-type:token-exchange' : 'client_credentials';
    const parameters = { scope: 'droits', ...(subject && { subject_token: logins.get(subject).id_token, subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }) };
    const response = await oauth.genericTokenEndpointRequest(server, client, oauth.TlsClientAuth(), grant, parameters, options);
    const tokens = await oauth.processGenericTokenEndpointResponse(server, client, response);
    logins.set(name, { token: tokens.access_token, certificate });
    return { token: tokens.access_token, type: tokens.token_type };
  },

  // A request with a token; `bearer` as a thief would send it, without proof; `certificate` in place of its own.
  async ask({ name, method, path, body, bearer = false, certificate }) {
    const login = logins.get(name);
    const options = { DPoP: bearer ? undefined : login.DPoP, [oauth.customFetch]: fetching(certificate ?? login.certificate) };
    const headers = new Headers(body && { 'content-type': 'application/json' });
    try {
      return await withNonce(async () => {
        const response = await oauth.protectedResourceRequest(login.token, method, new URL(path, origin), headers, body && JSON.stringify(body), options);
        return { status: response.status, body: await response.text() };
      });
    } catch (error) {
      if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
      return { status: error.status, challenge: error.cause[0], retried: false };
    }
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { verb, ...members } = JSON.parse(line);
  const answer = await verbs[verb](members).catch((error) => ({ failed: `${error.name}: ${error.message}`, cause: String(error.cause?.error_description ?? error.cause ?? '') }));
  console.log(JSON.stringify(answer));
}
