// Package token establishes who a player is. It verifies the identity token, a signed JWT (RFC
// 7519, RFC 7515, under the rules of RFC 8725), that opens and renews a session, and it can mint
// such tokens for a game that has no identity provider of its own.
//
// # What a token looks like
//
//	base64url(header) "." base64url(claims) "." base64url(signature)      at most 4096 bytes in HELLO
//
//	header   alg      the one algorithm of the issuer's profile
//	         typ      "at+jwt", or what the profile asks for
//	         kid      at most 256 bytes; may be missing only when the issuer has exactly one key
//	claims   iss      picks the profile, compared byte for byte
//	         aud      string or array of strings; one must be ours
//	         sub      the player, 1 to 128 bytes
//	         exp      when it ends; required
//	         iat nbf  when it was made, when it begins; optional, obeyed when present
//	         jti      its name in revocation lists; SHA-256 of header "." claims when missing
//	         scope platform build    what the session is for; optional
//	         cnf      {"x5t#S256": …} binds it to a client certificate (RFC 8705); optional
//
// Unknown claims and header fields are ignored, with these exceptions: any "crit", whatever brings
// a key or a place to fetch one (jku, jwk, x5u, x5c), and whatever changes how the token is read
// (zip, b64, cty, enc). A name that equals one of ours in another letter case is refused, so no
// reader of the token can see other claims than we do.
//
// # Which rules hold for it
//
// A [Profile] is written by the operator for each issuer: one algorithm, one key set, the
// audiences, the longest life. The token names its issuer; everything else comes from the profile,
// never from the token. Use
//
//   - [Issuer.Profile] for tokens minted here (ES256, typ at+jwt, at most 15 minutes);
//   - [FormStandard] with Type "at+jwt" for an identity provider that follows RFC 9068;
//   - [NewCognito] for a user pool of Amazon Cognito, which knows its issuers, keys and forms ([FormCognito] for access
//     tokens, in which client_id stands for aud, [FormCognitoID] for ID tokens);
//   - [FormNakama] with HS256 for Nakama session tokens (uid and tid stand for sub and jti; no iss, no aud).
//
// In tokens of another form than [FormStandard], platform and build count as absent unless they are
// short texts. [Profile.Keep] names claims of the game's own, which [Claims.Custom] then has.
//
// # Where keys come from
//
// [ParseKeys] reads them from a file once. [RemoteKeys] fetches what an identity provider
// publishes, and keeps it fresh: a token whose key is known takes no lock, a rotation costs one
// fetch however many players wait for it, and invented key ids cost a small budget and delay no
// token whose key is known.
//
// The well-known libraries were measured against that, with a provider that takes 100 ms to answer.
// With 500 players signing in during a rotation, keyfunc/v3 v3.9.1 lets 1 of them in and jwx/v3
// v3.3.0 none; keyfunc then refuses a second rotation for up to 5 minutes. go-oidc v3.21.0 lets in
// all 500, but each token with an invented key or a bad signature costs a fetch. keyfunc and
// go-oidc read an answer of any length, and jwx needs a newer golang.org/x/crypto than a Nakama
// plugin may link.
//
// # Security events
//
// Identity providers that take part in Shared Signals send signed events of the same form (RFC 8417),
// such as that a session was revoked. An EventVerifier judges those; package fleet/signals makes
// revocations of them.
//
// # What is checked, in this order
//
//  1. Size, before anything else looks at the bytes: 32 KiB.
//  2. Verified-token cache: a token that passed before goes on at step 7 with the claims read then.
//  3. Three segments of strict base64url: no padding, no line break, no stray bits.
//  4. Header and claims: valid UTF-8, JSON, no half of a surrogate pair, no duplicate names at any level, bounded depth and width.
//  5. Profile by iss; then alg and typ against the profile.
//  6. Claims: types, lengths, characters, audience, groups.
//  7. Times: exp, nbf, iat and the length of the life, against the caller's clock. Each time.
//  8. Key by kid from this issuer's set, and its algorithm. Each time, so that a withdrawn key takes its tokens along.
//  9. Signature, by golang-jwt; last, because it costs the most, and step 8 may ask the network.
//
// A refusal is an [*Error]: it says which [Check] has failed and what to do about it, for the
// operator alone. [Label] has a short form for counters and audit lines.
//
// Amazon's own verifier for Node.js, aws-jwt-verify, judges the same tokens in a test of
// internal/cognito, which lists each difference with its reason.
//
// Anything read before the signature is verified only serves to refuse; no claim of a token that
// failed is returned.
//
// Left to the caller: that a token with a thumbprint came with its certificate, that its scope is
// for this match, that it is not revoked, and that it has not opened a session already. For the
// last two a token's name is issuer and [Claims.ID], never its bytes: anybody can turn one valid
// ECDSA signature into a second one.
package token
