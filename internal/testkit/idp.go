package testkit

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/token"
)

// Pool is the user pool of an IDP, Client the app client that its tokens are for.
const (
	Pool   = "eu-west-1_Sallyport"
	Client = "client.test"
)

// IDP is an identity provider like Amazon Cognito: it signs with RS256 and publishes its keys, two of them at first, at
// /<pool>/.well-known/jwks.json. It answers in the process, as an http.RoundTripper that has no goroutine and so fits a
// bubble, or as a server on the loopback interface. It is safe for concurrent use.
type IDP struct {
	mu      sync.Mutex
	issuer  string
	keys    []idpKey // published; the last one signs
	made    int      // keys, ever
	fetches int
	latency time.Duration
	answer  http.HandlerFunc // in place of the keys, or nil
}

type idpKey struct {
	id  string
	key *rsa.PrivateKey
}

// NewIDP returns a provider whose tokens name the issuer that Amazon would.
func NewIDP(t testing.TB) *IDP {
	t.Helper()
	region, _, _ := strings.Cut(Pool, "_")
	p := &IDP{issuer: "https://cognito-idp." + region + ".amazonaws.com/" + Pool}
	p.Rotate(t)
	p.Rotate(t)
	return p
}

// Rotate publishes one more key, with which tokens are signed from now on.
func (p *IDP) Rotate(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	key, err := idpKeys[p.made%len(idpKeys)]()
	if err != nil {
		t.Fatal(err)
	}
	p.keys, p.made = append(p.keys, idpKey{rand.Text(), key}), p.made+1
}

// Withdraw takes all keys back but the one that signs.
func (p *IDP) Withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = p.keys[len(p.keys)-1:]
}

// Answer has h answer in place of the keys; nil ends that.
func (p *IDP) Answer(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// Latency delays each answer.
func (p *IDP) Latency(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.latency = d
}

// Fetches is how many requests there were.
func (p *IDP) Fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fetches
}

// Cognito configures a verifier of this provider's access tokens, which fetches by RoundTrip.
func (p *IDP) Cognito() token.CognitoConfig {
	return token.CognitoConfig{Pool: Pool, Clients: []string{Client}, Transport: p}
}

// Serve serves on the loopback interface until the test ends, and returns the endpoint for a CognitoConfig. Tokens name
// it as their issuer from now on.
func (p *IDP) Serve(t testing.TB) (endpoint string) {
	t.Helper()
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.issuer = s.URL + "/" + Pool
	return s.URL
}

// RoundTrip answers in the process. The answer's body is there at once.
func (p *IDP) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	wait := p.latency
	p.mu.Unlock()
	select {
	case <-r.Context().Done():
		return nil, r.Context().Err()
	case <-time.After(wait):
	}
	w := httptest.NewRecorder()
	p.serve(w, r)
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// ServeHTTP answers a request to Serve.
func (p *IDP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	wait := p.latency
	p.mu.Unlock()
	time.Sleep(wait)
	p.serve(w, r)
}

func (p *IDP) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.fetches++
	answer := p.answer
	if answer == nil && r.URL.Path != "/"+Pool+"/.well-known/jwks.json" {
		answer = http.NotFound
	}
	p.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(p.JWKS()) //nolint:errcheck // the other end is gone
}

// JWKS is what the provider publishes.
func (p *IDP) JWKS() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := []map[string]string{}
	for _, k := range p.keys {
		set = append(set, map[string]string{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": k.id, "e": "AQAB", "n": encode(k.key.N.Bytes()),
		})
	}
	return encodeJSON(map[string]any{"keys": set})
}

// Claims are those of an access token of Amazon Cognito that is made now and lasts 5 minutes. Change what the test needs.
func (p *IDP) Claims(subject string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().Unix()
	return map[string]any{
		"iss": p.issuer, "client_id": Client, "token_use": "access", "sub": subject, "username": subject,
		"scope": "aws.cognito.signin.user.admin", "cognito:groups": []string{"players"}, "version": 2,
		"jti": rand.Text(), "origin_jti": rand.Text(), "event_id": rand.Text(),
		"auth_time": now, "iat": now, "exp": now + 300,
	}
}

// Token returns a good access token.
func (p *IDP) Token(t testing.TB, subject string) string {
	t.Helper()
	return p.Sign(t, p.Claims(subject), nil)
}

// KeyIDs are the names of the published keys, the one that signs last.
func (p *IDP) KeyIDs() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.keys {
		ids = append(ids, k.id)
	}
	return ids
}

// idpKeys are made once for the process, because each takes a tenth of a second. Names are always fresh.
var idpKeys = [3]func() (*rsa.PrivateKey, error){newRSA(), newRSA(), newRSA()}

func newRSA() func() (*rsa.PrivateKey, error) {
	return sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
}
