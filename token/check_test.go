package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// One token for each check, and for each of its texts that an operator is likely to meet.
func TestChecks(t *testing.T) {
	short := func(s fmt.Stringer) string { return strings.TrimSuffix(s.String(), "x") }
	two := profiles()[0]
	two.Keys = must(NewStaticKeys(must(NewPublicKey("es", ES256, &ecKey().PublicKey)), must(NewPublicKey("other", ES256, &otherKey().PublicKey))))
	verifiers := map[string]*Verifier{"": newVerifier(), "two keys": must(NewVerifier(two)), "groups": groupVerifier("admins")}
	verifiers["away"], _ = countedVerifier()
	verifiers["away"].profiles["https://game.example"].Keys = absent{}
	for name, c := range map[string]struct {
		token string
		check Check
		label string
		by    time.Duration
		text  string // in the error's
		with  string // verifier
	}{
		"size":              {strings.Repeat("A", maxVerified+1), CheckSize, "size", 0, "longer than 32,768 bytes", ""},
		"line feed after":   {game().String() + "\n", CheckSpace, "white space", 0, "white space around the token: trim what is read from a file", ""},
		"space before":      {" " + game().String(), CheckSpace, "white space", 0, "trim", ""},
		"as Windows writes": {"\ufeff" + game().String() + "\r\n", CheckSpace, "white space", 0, "trim", ""},
		"garbage":           {"garbage", CheckForm, "form", 0, "is it an identity token at all?", ""},
		"garbage, a line":   {"garbage\n", CheckForm, "form", 0, "is it an identity token at all?", ""},
		"nothing":           {"", CheckForm, "form", 0, "not three segments", ""},
		"Bearer":            {"Bearer " + game().String(), CheckForm, "form", 0, "not three segments", ""},
		"not JSON":          {b64("x") + "." + b64("x") + "." + b64("x"), CheckForm, "form", 0, "header or claims are not one JSON object", ""},
		"name twice":        {short(game().text(`"exp":1`)), CheckForm, "form", 0, "one name twice", ""},
		"letter case":       {short(game().with("EXP", 1)), CheckForm, "form", 0, "exp: a name equals this one in another letter case", ""},
		"crit":              {short(game().head("crit", []string{"x"})), CheckForm, "form", 0, "crit: no token may have", ""},
		"kid is a number":   {short(game().head("kid", 1)), CheckForm, "form", 0, "header field kid: not a text", ""},
		"issuer":            {short(game().with("iss", "https://other.example")), CheckIssuer, "issuer", 0, "no profile has its iss", ""},
		"algorithm":         {short(game().head("alg", "none")), CheckAlgorithm, "algorithm", 0, "alg is not the profile's", ""},
		"type":              {short(game().head("typ", "JWT")), CheckType, "type", 0, "typ is not the profile's", ""},
		"no subject":        {short(game().without("sub")), CheckClaim, "claim sub", 0, "token: bad claim: sub: missing", ""},
		"long subject":      {short(game().with("sub", strings.Repeat("s", 129))), CheckClaim, "claim sub", 0, "sub: not a text of 1 to 128 bytes", ""},
		"no player":         {short(nakama().without("uid")), CheckClaim, "claim uid", 0, "uid: missing", ""},
		"no UUID":           {short(nakama().with("uid", "ann")), CheckClaim, "claim uid", 0, "uid: not a UUID", ""},
		"no expiry":         {short(game().without("exp")), CheckClaim, "claim exp", 0, "exp: missing", ""},
		"expiry is a text":  {short(game().with("exp", "soon")), CheckClaim, "claim exp", 0, "exp: not a number of seconds", ""},
		"ID token":          {short(cognito().with("token_use", "id")), CheckClaim, "claim token_use", 0, "token_use: not access: the client must present the other token", ""},
		"groups":            {short(cognito().with("cognito:groups", "players")), CheckClaim, "claim cognito:groups", 0, "not a list of at most 100", ""},
		"scope":             {short(game().with("scope", "a\tb")), CheckClaim, "claim scope", 0, "scope: not words", ""},
		"certificate":       {short(game().with("cnf", fields{})), CheckClaim, "claim cnf", 0, "cnf: not the SHA-256", ""},
		"audience":          {short(game().with("aud", "arena-9")), CheckAudience, "audience", 0, "token: wrong audience: aud is none of the profile's: is the token for another app client", ""},
		"app client":        {short(cognito().with("client_id", "other")), CheckAudience, "audience", 0, "client_id is none of the profile's", ""},
		"group":             {short(cognito()), CheckGroup, "group", 0, "no group that the profile admits", "groups"},
		"expired":           {short(game().with("exp", now.Unix()-11520)), CheckExpired, "expired", 3*time.Hour + 12*time.Minute, "token: expired 3h12m0s ago: ", ""},
		"expired last year": {short(game().with("exp", 1)), CheckExpired, "expired", 24 * time.Hour, "token: expired at least 24h0m0s ago: ", ""},
		"expired now":       {short(game().with("exp", now.Unix())), CheckExpired, "expired", 0, "token: expired 0s ago: ", ""},
		"not yet valid":     {short(game().with("nbf", now.Unix()+45)), CheckNotYetValid, "not yet valid", 45 * time.Second, "token: not valid for another 45s: is a clock wrong?", ""},
		"made tomorrow":     {short(game().with("iat", now.Unix()+7)), CheckNotYetValid, "not yet valid", 7 * time.Second, "for another 7s", ""},
		"life":              {short(game().with("exp", now.Unix()+1000)), CheckLife, "life", 100 * time.Second, "than the profile accepts: 1m40s longer: have", ""},
		"key unknown":       {short(game().head("kid", "new")), CheckKey, "key unknown", 0, "token: unknown key: the issuer has no key named by its kid", ""},
		"no key named":      {short(game().head("kid", "x").dropHead("kid")), CheckKey, "key unknown", 0, "token: unknown key", "two keys"},
		"key set":           {short(game()), CheckKeySet, "key set", 0, "key set cannot be reached: the token may be good: try again", "away"},
		"signature":         {signedByOther().String(), CheckSignature, "signature", 0, "token: signature does not verify: ", ""},
	} {
		_, err := verify(t, verifiers[c.with], c.token)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Check != c.check || CheckOf(err) != c.check || Label(err) != c.label || e.By != c.by || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q, by %v: %v", name, Label(err), e, err)
		}
	}
}

// groupVerifier admits players of Amazon Cognito in these groups alone.
func groupVerifier(groups ...string) *Verifier {
	p := profiles()[3]
	p.Groups = groups
	return must(NewVerifier(p))
}

// absent is a key set that cannot be reached.
type absent struct{}

func (absent) Key(context.Context, string) (Key, error) { return Key{}, ErrUnavailable }

func (f *forgery) dropHead(name string) *forgery {
	delete(f.header, name)
	return f
}

// CheckOf knows the errors of another Verifier, wrapped or not, by what they match.
func TestCheckOf(t *testing.T) {
	for err, want := range map[error]Check{
		nil:                                   CheckNone,
		ErrMalformed:                          CheckForm,
		ErrIssuer:                             CheckIssuer,
		ErrAlgorithm:                          CheckAlgorithm,
		ErrClaims:                             CheckClaim,
		ErrLife:                               CheckLife,
		ErrGroup:                              CheckGroup,
		ErrAudience:                           CheckAudience,
		fmt.Errorf("mine: %w", ErrExpired):    CheckExpired,
		ErrNotYetValid:                        CheckNotYetValid,
		ErrUnknownKey:                         CheckKey,
		ErrUnavailable:                        CheckKeySet,
		ErrSignature:                          CheckSignature,
		errors.New("text of anybody's"):       CheckOther,
		fmt.Errorf("mine: %w", errSegments):   CheckForm,
		&Error{Check: 99, Claim: "x", By: -1}: 99,
	} {
		if got := CheckOf(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	for err, want := range map[error]string{
		nil: "none", errors.New("x"): "other", ErrClaims: "claim", fmt.Errorf("mine: %w", badClaim("sub", "missing")): "claim sub",
		&Error{Check: 99}: "check 99",
	} {
		if got := Label(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if got := (&Error{Check: 99}).Error(); got != "token: check 99" {
		t.Errorf("%q", got)
	}
}

// "a label is never renamed", and none is missing.
func TestCheckLabels(t *testing.T) {
	var labels []string
	for c := range numChecks {
		labels = append(labels, c.String())
	}
	const want = "none|size|white space|form|issuer|algorithm|type|claim|audience|group|expired|not yet valid|life|key unknown|key set|signature|other"
	if got := strings.Join(labels, "|"); got != want {
		t.Errorf("%s", got)
	}
}
