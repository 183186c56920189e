// The OpenID Connect provider of the tests: a certified one, for whom any name and password are
// right. What a person is called says what they are: `operator` has that role, and those of `FAULTS`
// are given an ID token that nobody may believe.
//
//     node provider.mjs '{"port": 9000, "redirect": "http://localhost:7881/…", "secret": "…"}'

import { exportJWK, exportSPKI, generateKeyPair, decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import Provider from "oidc-provider";

const { port, redirect, secret } = JSON.parse(process.argv[2]);
const CLIENT = "eloquence";

const keys = {};
for (const alg of ["RS256", "ES256", "EdDSA"]) {
  const pair = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(pair.privateKey)), kid: alg, alg, use: "sig" };
  keys[alg] = { ...pair, jwk };
}
const stranger = await generateKeyPair("RS256");
const published = new TextEncoder().encode(await exportSPKI(keys.RS256.publicKey));

const signed = (claims, { alg = "RS256", key = keys[alg].privateKey, kid = alg } = {}) =>
  new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
const hour = 3600;

/** By name: the ID token in place of the right one, of the right one's claims. */
const FAULTS = {
  expired: (claims) => signed({ ...claims, iat: claims.iat - 2 * hour, exp: claims.iat - hour }),
  eternal: ({ exp, ...claims }) => signed(claims),
  audience: (claims) => signed({ ...claims, aud: "another" }),
  audiences: (claims) => signed({ ...claims, aud: [CLIENT, "another"], azp: "another" }),
  unnamed: (claims) => signed({ ...claims, aud: [CLIENT, "another"] }),
  issuer: (claims) => signed({ ...claims, iss: "https://evil.example" }),
  nonce: (claims) => signed({ ...claims, nonce: "another" }),
  nameless: ({ nonce, ...claims }) => signed(claims),
  none: (claims) => new UnsecuredJWT(claims).encode(),
  stranger: (claims) => signed(claims, { key: stranger.privateKey }),
  unknown: (claims) => signed(claims, { key: stranger.privateKey, kid: "unknown" }),
  // A key that both know, and the published one taken for such a key.
  shared: (claims) => signed(claims, { alg: "HS256", key: new TextEncoder().encode(secret), kid: "RS256" }),
  confused: (claims) => signed(claims, { alg: "HS256", key: published, kid: "RS256" }),
  garbled: () => "not.a.token",
  // These are right: the other ways of signing that are believed.
  curve: (claims) => signed(claims, { alg: "ES256" }),
  edwards: (claims) => signed(claims, { alg: "EdDSA" }),
};

let risen = false;
const ROLES = {
  operator: () => ["learner", "operator", "of something else"],
  author: () => "learner author",
  rising: () => [risen ? "author" : "learner"],
  odd: () => ({ operator: true }),
};

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: CLIENT, client_secret: secret, redirect_uris: [redirect] }],
  jwks: { keys: Object.values(keys).map(({ jwk }) => jwk) },
  cookies: { keys: ["a key of the tests"] },
  claims: { openid: ["sub"], profile: ["name", "groups"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of the school`, groups: { of: ROLES[id]?.() } }),
  }),
});

provider.use(async (context, next) => {
  await next();
  const { oidc, body } = context;
  if (oidc?.route === "token" && body?.id_token) {
    const claims = decodeJwt(body.id_token);
    body.id_token = (await FAULTS[claims.sub]?.(claims)) ?? body.id_token;
  }
  if (oidc?.route === "userinfo" && body?.sub === "rising") risen = true;
  if (oidc?.route === "userinfo" && body?.sub === "twofold") context.body = { ...body, sub: "another" };
});

provider.listen(port, "127.0.0.1", () => console.log("ready"));
process.stdin.on("end", () => process.exit()).resume(); // when whoever started it is gone
