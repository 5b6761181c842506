// An authorization server for the tests: panva's oidc-provider, with people who log in by themselves.
//   node server.mjs FOLDER PORT
// FOLDER holds server.pem, server.key, ca.pem and accounts.json; keys.json is made there. Each start signs with a new
// key and goes on publishing the earlier ones, as a server does whose operator rotates keys by restarting it.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { Provider, errors, interactionPolicy } from 'oidc-provider';

const [folder, port] = process.argv.slice(2);
const file = (name) => `${folder}/${name}`;
const issuer = `https://localhost:${port}`;
const audience = 'urn:paravent:droits';
const accounts = JSON.parse(fs.readFileSync(file('accounts.json'), 'utf8'));
const METHODS = { eidas1: ['pwd'], eidas3: ['sc', 'pin', 'mfa'] };

const keys = fs.existsSync(file('keys.json')) ? JSON.parse(fs.readFileSync(file('keys.json'), 'utf8')) : [];
const { privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
keys.unshift({ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: crypto.randomUUID() });
fs.writeFileSync(file('keys.json'), JSON.stringify(keys), { mode: 0o600 });

const shown = (ctx) => {
  const peer = ctx.req.socket.getPeerCertificate();
  return peer?.raw ? new crypto.X509Certificate(peer.raw) : undefined;
};
const resourceServer = { scope: 'droits', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
const interactive = {
  application_type: 'web', redirect_uris: ['https://portail.example/retour'], response_types: ['code'],
  grant_types: ['authorization_code'], token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'ES256',
};
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

const provider = new Provider(issuer, {
  jwks: { keys },
  cookies: { keys: [crypto.randomBytes(24).toString('hex')] },
  acrValues: Object.keys(METHODS),
  scopes: ['openid'],
  clientAuthMethods: ['none', 'tls_client_auth'],
  clients: [
    { ...interactive, client_id: 'portail', dpop_bound_access_tokens: true },
    { ...interactive, client_id: 'officine', tls_client_certificate_bound_access_tokens: true },
    {
      client_id: 'logiciel', token_endpoint_auth_method: 'tls_client_auth', tls_client_auth_subject_dn: 'CN=logiciel',
      tls_client_certificate_bound_access_tokens: true, id_token_signed_response_alg: 'ES256',
      grant_types: ['client_credentials', TOKEN_EXCHANGE], redirect_uris: [], response_types: [],
    },
  ],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: crypto.randomBytes(32), requireNonce: () => true },
    mTLS: {
      enabled: true, certificateBoundAccessTokens: true, tlsClientAuth: true, getCertificate: shown,
      certificateAuthorized: (ctx) => ctx.req.socket.authorized,
      certificateSubjectMatches: (ctx, property, expected) => shown(ctx)?.subject === expected,
    },
    resourceIndicators: {
      enabled: true, defaultResource: () => audience, useGrantedResource: () => true,
      getResourceServerInfo: () => resourceServer,
    },
  },
  pkce: { required: () => true },
  ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 600, IdToken: 300, Interaction: 60, Session: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  claims: { openid: ['sub', 'acr', 'amr', 'auth_time'] },
  extraTokenClaims: (ctx, token) => {
    const login = ctx.oidc.entities.AuthorizationCode ?? ctx.state.subject;
    return login && { acr: login.acr, amr: login.amr, auth_time: login.authTime, ...accounts[token.accountId] };
  },
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}`, policy: interactionPolicy.base() },
  loadExistingGrant: async (ctx) => {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid');
    grant.addResourceScope(audience, 'droits');
    await grant.save();
    return grant;
  },
});

// RFC 8693. oidc-provider has no such grant of its own; this one is built from its models, through `registerGrantType`.
// The subject token is an ID token that this server signed a moment ago; the new token is bound to the certificate that
// the software authenticates with, as the ANS transport guide wants it.
provider.registerGrantType(TOKEN_EXCHANGE, async (ctx) => {
  const { client, params } = ctx.oidc;
  const [header, payload, signature] = params.subject_token.split('.');
  const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
  const key = keys.find((each) => each.kid === kid);
  const signed = key && crypto.verify('sha256', Buffer.from(`${header}.${payload}`),
    { key: crypto.createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const certificate = shown(ctx);
  if (!signed || claims.exp * 1000 < Date.now() || !certificate) throw new errors.InvalidGrant('subject token');
  ctx.state.subject = { acr: claims.acr, amr: claims.amr, authTime: claims.auth_time };
  const token = new provider.AccessToken({ accountId: claims.sub, client, scope: 'droits', gty: 'token_exchange' });
  token.resourceServer = new provider.ResourceServer(audience, resourceServer);
  token.setThumbprint('x5t', certificate);
  ctx.oidc.entity('AccessToken', token);
  ctx.body = {
    access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
}, ['subject_token', 'subject_token_type', 'resource'], []);

// The login page: whoever `login_hint` names logs in as strongly as was asked for.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const acr = (params.acr_values ?? 'eidas1').split(' ').filter((value) => value in METHODS)[0];
  const login = { accountId: params.login_hint, acr, amr: METHODS[acr] };
  await provider.interactionFinished(ctx.req, ctx.res, { login, consent: {} }, { mergeWithLastSubmission: false });
  ctx.respond = false;
});
provider.on('server_error', (ctx, error) => console.error(error));

const tls = {
  cert: fs.readFileSync(file('server.pem')), key: fs.readFileSync(file('server.key')), ca: fs.readFileSync(file('ca.pem')),
  requestCert: true, rejectUnauthorized: false,
};
https.createServer(tls, provider.callback()).listen(Number(port), '127.0.0.1', () => console.log('ready'));
