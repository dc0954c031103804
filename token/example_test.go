package token_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/token"
)

// A game that signs its players in by itself: the sign-in service mints, the match server verifies.
func Example() {
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://game.example", Audience: "arena-7"})
	if err != nil {
		panic(err)
	}
	now := time.Unix(1_800_000_000, 0)
	raw, err := issuer.Mint(now, token.Grant{Subject: "ann", Scope: "match:42", Life: 5 * time.Minute})
	if err != nil {
		panic(err)
	}

	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		panic(err)
	}
	claims, err := verifier.Verify(context.Background(), now, []byte(raw))
	if err != nil {
		panic(err)
	}
	fmt.Println(claims.Subject, claims.HasScope("match:42"))

	_, err = verifier.Verify(context.Background(), now.Add(time.Hour), []byte(raw))
	fmt.Println(errors.Is(err, token.ErrExpired))
	// Output:
	// ann true
	// true
}

// Amazon Cognito: the user pool, and the app client that players sign in with. Keys are fetched with the first player's
// token, or so that no player waits, by pool.Hydrate when the server starts.
func ExampleNewCognito() {
	pool, err := token.NewCognito(token.CognitoConfig{Pool: "eu-west-1_EXAMPLE", Clients: []string{"app-client-id"}})
	if err != nil {
		panic(err)
	}
	defer pool.Close()                             //nolint:errcheck // always nil
	_, err = token.NewVerifier(pool.Profiles()...) // for transport.Config
	fmt.Println(err)
	// Output: <nil>
}

// Claims of the game's own: the issuer mints them, the verifier's profile names those that it keeps.
func ExampleProfile_keep() {
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://game.example", Audience: "arena-7"})
	if err != nil {
		panic(err)
	}
	now := time.Unix(1_800_000_000, 0)
	raw, err := issuer.Mint(now, token.Grant{Subject: "ann", Custom: map[string]any{"rank": "gold", "level": 7}})
	if err != nil {
		panic(err)
	}
	profile := issuer.Profile()
	profile.Keep = []string{"rank", "level", "clan"}
	verifier, err := token.NewVerifier(profile)
	if err != nil {
		panic(err)
	}
	claims, err := verifier.Verify(context.Background(), now, []byte(raw))
	if err != nil {
		panic(err)
	}
	rank, _ := claims.Custom["rank"].(string)
	level, _ := claims.Custom["level"].(float64)
	_, inClan := claims.Custom["clan"]
	fmt.Println(rank, level, inClan)
	// Output: gold 7 false
}

// What an operator reads of a refusal; the client is told less.
func ExampleError() {
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://game.example", Audience: "arena-7"})
	if err != nil {
		panic(err)
	}
	now := time.Unix(1_800_000_000, 0)
	raw, err := issuer.Mint(now, token.Grant{Subject: "ann"})
	if err != nil {
		panic(err)
	}
	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		panic(err)
	}
	for _, shown := range []string{raw, raw + "\n"} {
		_, err = verifier.Verify(context.Background(), now.Add(time.Hour), []byte(shown))
		fmt.Printf("%s: %v\n", token.Label(err), err)
	}
	// Output:
	// expired: token: expired 45m0s ago: the client must get a new one, or a clock is wrong
	// white space: token: malformed: white space around the token: trim what is read from a file
}

// An identity provider whose keys are in a file.
func ExampleParseKeys() {
	keys, err := token.ParseKeys([]byte(providerKeys), token.RS256)
	if err != nil {
		panic(err)
	}
	_, err = token.NewVerifier(token.Profile{
		Issuer: "https://login.example", Audience: []string{"arena-7"}, Algorithm: token.RS256, Keys: keys, Type: "at+jwt",
	})
	fmt.Println(err)
	// Output: <nil>
}

// providerKeys holds the example key of RFC 7638 3.1.
const providerKeys = `{"keys":[{"kty":"RSA","alg":"RS256","use":"sig","kid":"2011-04-29","e":"AQAB","n":"` +
	`0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj` +
	`hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ` +
	`vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK` +
	`nqDKgw"}]}`
