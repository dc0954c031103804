package token

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A rule has tokens that break it, each with the error it must give, and tokens that show where it ends.
type rule struct {
	rule   string
	refuse []refused
	accept []fmt.Stringer
}

type refused struct {
	token fmt.Stringer
	want  error
}

const aUUID = "8750a1c4-ef1b-40f0-bed5-12c1a429f1d7"

type text string

func (t text) String() string { return string(t) }

func no(want error, tokens ...fmt.Stringer) (out []refused) {
	for _, t := range tokens {
		out = append(out, refused{t, want})
	}
	return out
}

// RFC 8725 rule by rule, with its successor draft and the RFCs it leans on.
func rules() []rule {
	return []rule{
		{
			rule: `8725 3.1 "Libraries MUST enable the caller to specify a supported set of algorithms": one per profile`,
			refuse: no(ErrAlgorithm,
				cognitoSignedAs("RS384", signRS256(rsaKey(), crypto.SHA384, cognito().head("alg", "RS384").signed())),
				cognitoSignedAs("PS256", signPS256(rsaKey(), cognito().head("alg", "PS256").signed())),
				game().head("alg", "HS256"), game().head("alg", "ES384"), game().head("alg", "EdDSA"),
				eddsa().head("alg", "Ed25519"), nakama().head("alg", "HS512")),
			accept: []fmt.Stringer{game(), eddsa(), hmacSigned(), cognito(), nakama()},
		},
		{
			rule:   `8725 3.1 the key's algorithm: HMAC under the public key's bytes is no RS256 (algorithm confusion)`,
			refuse: append(no(ErrAlgorithm, confused(nil)...), no(ErrSignature, confused(fields{"alg": "RS256"})...)...),
		},
		{
			rule: `8725bis: algorithm names are compared exactly; no block-list that "noNE" slips by`,
			refuse: no(ErrAlgorithm, unsigned("none"), unsigned("noNE"), unsigned("None"), unsigned("NONE"),
				game().head("alg", "es256"), game().head("alg", "ES256 "), text(withoutAlg())),
		},
		{
			rule:   `8725 3.2 "JWTs using none" are never accepted, signed or not`,
			refuse: slices.Concat(no(ErrAlgorithm, game().head("alg", "none")), no(ErrMalformed, bare("none"))),
		},
		{
			rule: `8725 3.3 all operations validated: three segments, no nested token, no encryption`,
			refuse: no(ErrMalformed,
				text(""), text("."), text(".."), text("..."), text("...."), text("a.b"), text(game().String()+"."),
				text(game().String()+".AA"), text("."+game().String()), text(game().String()+".AA.AA"),
				game().head("cty", "JWT"), game().head("cty", "jwt"), game().head("enc", "A128GCM")),
		},
		{
			rule:   `8725 3.4 cryptographic inputs: ES256 is 64 bytes r ‖ s with 0 < r, s < n (7518 3.4)`,
			refuse: no(ErrSignature, badES256()...),
		},
		{
			rule:   `8725 3.6 "Compression of data SHOULD NOT be done before encryption": zip refused, nothing inflated`,
			refuse: no(ErrMalformed, game().head("zip", "DEF"), game().head("zip", nil)),
		},
		{
			rule: `8725 3.7 "MUST use UTF-8": invalid UTF-8 refused in header and claims, also half a surrogate pair`,
			refuse: no(ErrMalformed,
				game().text(`"x":"`+"\xff"+`"`), game().text(`"`+"\xc0\xaf"+`":1`), game().headText(`"x":"`+"\xed\xa0\x80"+`"`),
				game().text(`"x":"\ud800"`), game().text(`"\udfff":1`), game().headText(`"x":"\ud800"`)),
			accept: []fmt.Stringer{game().with("sub", "Zoë 🎮"), game().text(`"x":"\ud83c\udfae"`)},
		},
		{
			rule: `8725 3.8 "validate that the cryptographic keys used belong to the issuer"; iss compared exactly`,
			refuse: slices.Concat(
				no(ErrIssuer, game().with("iss", "https://GAME.example"), game().with("iss", "https://game.example/"),
					game().with("iss", ""), game().with("iss", "nakama"), game().with("iss", "https://game.example\x00")),
				no(ErrClaims, game().with("iss", []string{"https://game.example"}), game().with("iss", nil), game().with("iss", 1)),
				no(ErrSignature, signedByOther())),
		},
		{
			rule: `8725 3.8 "the subject": a string of 1 to 128 bytes without control characters`,
			refuse: no(ErrClaims, game().without("sub"), game().with("sub", ""), game().with("sub", 7), game().with("sub", nil),
				game().with("sub", []string{"player-1"}), game().with("sub", "a\nb"), game().with("sub", "a\x00"),
				game().with("sub", "a\u0085b"), game().with("sub", strings.Repeat("s", 129))),
			accept: []fmt.Stringer{game().with("sub", strings.Repeat("s", 128)), game().with("sub", "s")},
		},
		{
			rule: `8725 3.9 "the relying party MUST validate the audience"; a Cognito access token has client_id and token_use`,
			refuse: slices.Concat(
				no(ErrAudience, game().without("aud"), game().with("aud", "arena-9"), game().with("aud", "ARENA-7"),
					game().with("aud", []string{"arena-9", "x"}), game().without("aud").with("client_id", "arena-7"),
					cognito().with("client_id", "other"), cognito().without("client_id").with("aud", "client")),
				no(ErrClaims, game().with("aud", []string{}), game().with("aud", ""), game().with("aud", 1),
					game().with("aud", []any{"arena-7", 1}), game().with("aud", fields{"arena-7": 1}),
					cognito().with("client_id", []string{"client"}), cognito().without("token_use"),
					cognito().with("token_use", "id"), cognito().with("token_use", "Access"))),
			accept: []fmt.Stringer{
				game().with("aud", "arena-8"), game().with("aud", []string{"x", "arena-7"}),
				cognito().with("aud", "https://api.example"),
			},
		},
		{
			rule: `8725 3.10 "do not trust received claims": kid is a map key of at most 256 bytes; a token brings no key`,
			refuse: slices.Concat(
				no(ErrMalformed, game().head("kid", strings.Repeat("k", 257)), game().head("kid", ""), game().head("kid", 1),
					game().head("kid", nil), game().head("kid", "a\nb"), game().head("jku", "https://evil.example"),
					game().head("jwk", fields{"kty": "EC"}), game().head("x5u", "https://evil.example"), game().head("x5c", []string{"AA"})),
				no(ErrUnknownKey, game().head("kid", strings.Repeat("k", 256)), game().head("kid", "../es"), game().head("kid", "ES"),
					game().head("kid", "' OR 1=1 --"))),
		},
		{
			rule: `8725 3.11 "use explicit typing" (9068: at+jwt); where no type is wanted it is missing or JWT`,
			refuse: no(ErrMalformed, game().head("typ", "JWT"), text(withoutType()), game().head("typ", "application/JWT"),
				game().head("typ", "at+jwt "), game().head("typ", "application/application/at+jwt"), game().head("typ", nil),
				cognito().head("typ", "at+jwt"), cognito().head("typ", ""), cognito().head("typ", "logout+jwt")),
			accept: []fmt.Stringer{
				game().head("typ", "AT+JWT"), game().head("typ", "application/at+jwt"),
				game().head("typ", "Application/AT+jwt"), cognito().head("typ", "JWT"),
			},
		},
		{
			rule: `8725 3.12 "mutually exclusive validation rules": a token of one profile fails in every other`,
			refuse: slices.Concat(
				no(ErrAlgorithm, game().with("iss", "https://ed.example"), game().with("iss", "https://secret.example"),
					game().with("iss", "https://cognito.example/pool"), hmacSigned().with("iss", "https://game.example"),
					cognito().with("iss", "https://game.example"), game().without("iss").with("uid", aUUID).with("tid", "t")),
				no(ErrUnknownKey, hmacSigned().without("iss").with("uid", strings.ToUpper(aUUID)).with("tid", "t"))),
		},
		{
			rule:   `8725bis compact serialization only, in strict base64url: one token, one spelling`,
			refuse: no(ErrMalformed, append(respelled(game().String()), text(`{"payload":"e30","signatures":[]}`))...),
		},
		{
			rule: `7515 4.1.11 "crit": an extension that is not understood MUST be refused, and none is understood`,
			refuse: no(ErrMalformed, game().head("crit", []string{"exp"}), game().head("crit", []string{}), game().head("crit", nil),
				game().head("crit", "b64"), game().head("b64", false), game().head("Crit", []string{"x"})),
		},
		{
			rule: `duplicate names are refused at every level, also when spelled with an escape`,
			refuse: no(ErrMalformed, game().text(`"exp":1`), game().text(`"ex\u0070":1`), game().headText(`"alg":"none"`),
				game().text(`"x":{"y":1,"y":1}`), game().text(`"x":[[{"y":1,"z":2,"y":1}]]`), game().text(`"x":1,"x":1`)),
			accept: []fmt.Stringer{game().text(`"x":{"y":1,"z":{"y":1}},"y":1`)},
		},
		{
			rule: `names are case-sensitive (7519 4): a variant of one of ours is refused, so nobody can read it as ours`,
			refuse: no(ErrMalformed, game().with("EXP", now.Unix()+9999), game().with("Sub", "admin"), game().with("ſub", "admin"),
				game().without("sub").with("ſub", "admin"), game().with("Nbf", 1), game().with("iSs", "x"), game().head("ALG", "none"),
				game().head("\u212aid", "x")),
			accept: []fmt.Stringer{game().with("Level", 3), game().with("x", fields{"EXP": 1})},
		},
		{
			rule:   `32 KiB in all, refused before any decoding; HELLO carries 4096`,
			refuse: no(ErrMalformed, ofLength(maxVerified+1), ofLength(40000), text(strings.Repeat("A", 1<<20))),
			accept: []fmt.Stringer{ofLength(4096), ofLength(4097), ofLength(maxVerified - 1), ofLength(maxVerified)},
		},
		{
			rule: `at most 256 claims, at most 8 levels`,
			refuse: no(ErrMalformed, game().text(numbers(`"n%d":0,`, 248)+`"z":0`), game().headText(numbers(`"n%d":0,`, 253)+`"z":0`),
				game().text(`"x":{`+numbers(`"n%d":0,`, 256)+`"z":0}`), game().text(`"x":`+nested(8)), game().headText(`"x":`+nested(8)),
				game().text(`"x":`+nested(500))),
			accept: []fmt.Stringer{
				game().text(numbers(`"n%d":0,`, 247) + `"z":0`), game().text(`"x":` + nested(7)),
				game().text(`"x":{` + numbers(`"n%d":0,`, 255) + `"z":0}`),
			},
		},
		{
			rule: `6749 3.3 scope is words and single spaces, or a list of words; a tab separates nothing`,
			refuse: no(ErrClaims, game().with("scope", "match:42\tadmin"), game().with("scope", " a"),
				game().with("scope", "a "), game().with("scope", "a  b"), game().with("scope", " "), game().with("scope", `a"b`),
				game().with("scope", `a\b`), game().with("scope", "é"), game().with("scope", []string{"a b"}),
				game().with("scope", []string{""}), game().with("scope", []any{"a", 1}), game().with("scope", nil), game().with("scope", 1),
				game().with("scope", []string{"a", "b\x00"})),
			accept: []fmt.Stringer{
				game().without("scope"), game().with("scope", "a"), game().with("scope", "a b c"),
				game().with("scope", ""), game().with("scope", []string{}), game().with("scope", []string{"a", "b"}),
				game().with("scope", []string{strings.Repeat("s", 1000), strings.Repeat("s", 2000)}),
				game().with("scope", strings.Repeat("game/level ", 1000)+"x"),
			},
		},
		{
			rule: `8705 3.1 cnf names a certificate; a token bound to anything else is not taken for an unbound one`,
			refuse: no(ErrClaims, game().with("cnf", fields{}), game().with("cnf", nil), game().with("cnf", thumb),
				game().with("cnf", fields{"jkt": thumb}), game().with("cnf", fields{"x5t#S256": thumb, "X5T#s256": thumb}),
				game().with("cnf", fields{"x5t#S256": ""}),
				game().with("cnf", fields{"x5t#S256": thumb + "="}), game().with("cnf", fields{"x5t#S256": thumb[:42]}),
				game().with("cnf", fields{"x5t#S256": b64(strings.Repeat("t", 31))}),
				game().with("cnf", fields{"x5t#S256": b64(strings.Repeat("t", 33))}),
				game().with("cnf", fields{"x5t#S256": thumb[:42] + "B"}), game().with("cnf", fields{"x5t#S256": thumb + "AAAA"})),
			accept: []fmt.Stringer{
				game().with("cnf", fields{"x5t#S256": thumb}),
				game().with("cnf", fields{"x5t#S256": thumb, "jkt": thumb}),
			},
		},
		{
			rule: `jti, platform and build are short strings when present; other issuers' platform and build count as absent`,
			refuse: no(ErrClaims, game().with("jti", ""), game().with("jti", 5), game().with("jti", strings.Repeat("j", 129)),
				game().with("platform", "a\tb"), game().with("build", strings.Repeat("b", 129)), game().with("build", fields{})),
			accept: []fmt.Stringer{
				game().without("jti"), game().with("platform", "switch").with("build", "1.2"), cognito().with("platform", 3).with("build", fields{}),
				cognito().with("platform", nil).with("build", ""), nakama().with("build", []int{1}).with("platform", "a\tb"),
			},
		},
		{
			rule: `Nakama: uid is the player, tid the sign-in; a refreshed session keeps its old iat`,
			refuse: slices.Concat(no(ErrClaims, nakama().without("uid"), nakama().without("exp"), nakama().with("exp", now.Unix()+901),
				nakama().with("uid", "ann"), nakama().with("uid", aUUID+"0"), nakama().with("uid", "{"+aUUID+"}"),
				nakama().with("uid", strings.ReplaceAll(aUUID, "-", ""))),
				no(ErrExpired, nakama().with("exp", now.Unix())), no(ErrIssuer, nakama().with("iss", "nakama"))),
			accept: []fmt.Stringer{nakama().without("vrs"), nakama().with("uid", strings.ToUpper(aUUID)), nakama().with("exp", now.Unix()+900)},
		},
	}
}

func TestRules(t *testing.T) {
	v := newVerifier()
	for _, r := range rules() {
		t.Run(r.rule, func(t *testing.T) {
			for i, bad := range r.refuse {
				if _, err := verify(t, v, bad.token.String()); !errors.Is(err, bad.want) {
					t.Errorf("token %d that breaks it: %v, want %v", i, err, bad.want)
				}
			}
			for i, good := range r.accept {
				if _, err := verify(t, v, good.String()); err != nil {
					t.Errorf("token %d that obeys it: %v", i, err)
				}
			}
		})
	}
}
