package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/keyset"
	"github.com/sallyport/sallyport/fleet/internal/show"
	"github.com/sallyport/sallyport/token"
)

const (
	// driftWarn is what a server assumes its clock to be right to, and driftFail the leeway that
	// tokens have by default: beyond it good tokens are refused.
	driftWarn = time.Second
	driftFail = 5 * time.Second

	// slowFetch is a fetch for which players wait noticeably.
	slowFetch = time.Second
)

// issuerKeys is what the issuer's endpoint has answered.
type issuerKeys struct {
	url string
	keyset.Answer
	received time.Time
	err      error
}

// fetchKeys asks the issuer's endpoint, for two checks.
func (e *examination) fetchKeys(ctx context.Context) {
	if e.jwks == "" && e.pool == "" {
		return
	}
	e.keys = &issuerKeys{url: e.jwks}
	if e.keys.err = e.refused(); e.keys.err != nil {
		return
	}
	e.keys.Answer, e.keys.err = keyset.Fetch(ctx, e.keys.url)
	e.keys.received = e.host.now()
}

// refused is why a server would not take the flags, and completes the URL.
func (e *examination) refused() error {
	if e.pool == "" {
		keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: e.jwks, Algorithm: token.RS256})
		if err == nil {
			keys.Close() //nolint:errcheck // always nil
		}
		return err
	}
	pool, err := token.NewCognito(token.CognitoConfig{Pool: e.pool, Clients: []string{"any"}, Endpoint: e.endpoint})
	if err != nil {
		return err
	}
	pool.Close() //nolint:errcheck // always nil
	e.keys.url = pool.Profiles()[0].Issuer + "/.well-known/jwks.json"
	return nil
}

// algorithms are those that an issuer's published keys can be for.
var algorithms = []token.Algorithm{token.ES256, token.RS256, token.EdDSA}

// checkIssuer says what is published.
func checkIssuer(e *examination) result {
	if e.keys == nil {
		return skip("no -jwks and no -cognito-pool")
	}
	url := show.Safe(e.keys.url)
	if e.keys.err != nil {
		return fail("Players cannot sign in without it. Is the URL right, and does a firewall or proxy let this machine out? curl -v "+url,
			"%s: %s", url, show.Safe(strings.TrimPrefix(e.keys.err.Error(), "token: ")))
	}
	list, err := keyset.Describe(e.keys.Body)
	if err != nil {
		return fail("It must answer with {\"keys\": […]} (RFC 7517). Is it another of the provider's URLs?", "%s: %v", url, err)
	}
	var names []string
	for _, k := range list {
		if k.Private != "" {
			return fail("Whoever reads it mints tokens: have the provider publish public keys only, and replace this one now.", "%s publishes the private key %s", url, k)
		}
		names = append(names, k.String())
	}
	var usable []string
	for _, a := range algorithms {
		if _, err := token.ParseKeys(e.keys.Body, a); err == nil {
			usable = append(usable, string(a))
		}
	}
	if usable == nil {
		return fail("A server takes RS256 of 2,048 to 4,096 bits, ES256 on P-256, and EdDSA on Ed25519, for signatures.", "%s has no key that a server takes: %s", url, strings.Join(names, ", "))
	}
	found := fmt.Sprintf("%s answers in %v with keys for %s: %s", url, e.keys.Took.Round(time.Millisecond), strings.Join(usable, ", "), strings.Join(names, ", "))
	if e.keys.Took > slowFetch {
		return warn("A server fetches at its start and in the background, but at a rotation players wait for it.", "%s", found)
	}
	return ok("%s", found)
}

// checkClock compares the clock with that of the issuer's endpoint, and asks the kernel.
func checkClock(e *examination) result {
	const do = "Run chrony or systemd-timesyncd, and start the server after time-sync.target."
	synced, err := e.host.synced()
	kernel := map[bool]string{true: "the kernel takes it for synchronised", false: "the kernel does not take it for synchronised"}[synced]
	if err != nil {
		kernel = "the kernel does not tell about it"
	}
	off, known := e.drift()
	switch {
	case known && off.Abs() > driftFail:
		return fail(do+"\nTokens are refused as expired or not yet valid (token.Profile.Leeway is 5s).", "the clock is %s that of %s", apart(off), show.Safe(e.keys.url))
	case known && off.Abs() > driftWarn:
		return warn(do, "the clock is %s that of %s; %s", apart(off), show.Safe(e.keys.url), kernel)
	case err == nil && !synced:
		return warn(do, "%s", kernel)
	case known:
		return ok("it agrees with that of the issuer's endpoint, as far as its answer shows (1s); %s", kernel)
	case err != nil:
		return skip(kernel + ", and without -jwks there is nothing to compare it with")
	}
	return ok("%s; with -jwks it is compared with the issuer's", kernel)
}

// drift is how far the clock is from that of the issuer's endpoint at least: positive is ahead. Date
// is a whole second, and the answer was made at some time while it was waited for.
func (e *examination) drift() (time.Duration, bool) {
	if e.keys == nil || e.keys.Date.IsZero() {
		return 0, false
	}
	if ahead := e.keys.received.Add(-e.keys.Took).Sub(e.keys.Date.Add(time.Second)); ahead > 0 {
		return ahead, true
	}
	return min(e.keys.received.Sub(e.keys.Date), 0), true
}

// apart says a difference of clocks.
func apart(off time.Duration) string {
	if off < 0 {
		return (-off).Round(time.Millisecond).String() + " behind"
	}
	return off.Round(time.Millisecond).String() + " ahead of"
}
