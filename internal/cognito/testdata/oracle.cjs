// Reads {pool, client, use, groups, jwks, now, tokens: {name: token}} and writes {name: "" or the name of the error}.
const { CognitoJwtVerifier } = require("aws-jwt-verify");
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
Date.now = () => asked.now; // in milliseconds: a busy machine makes no token expire
const verifier = CognitoJwtVerifier.create({
  userPoolId: asked.pool, clientId: asked.client, tokenUse: asked.use, groups: asked.groups ?? undefined,
});
verifier.cacheJwks(asked.jwks);
const verdicts = {};
for (const [name, token] of Object.entries(asked.tokens)) {
  try {
    verifier.verifySync(token);
    verdicts[name] = "";
  } catch (error) {
    verdicts[name] = error.constructor.name;
  }
}
process.stdout.write(JSON.stringify(verdicts));
