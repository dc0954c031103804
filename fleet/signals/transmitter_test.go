package signals_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/token"
)

// idp is an SSF transmitter, made from the specifications: it signs SETs by ES256 with keys that
// rotate, publishes them as a JWK set, pushes (RFC 8935) and answers polls (RFC 8936).
type idp struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	keys  []*ecdsa.PrivateKey // the newest signs
	queue map[string]string   // jti to SET
	acked []string
	errs  map[string]map[string]string
	polls int
	down  bool // the key set
	push  string
	wants string // Authorization of polls
}

func newIDP(t *testing.T) *idp {
	i := &idp{t: t, queue: map[string]string{}, errs: map[string]map[string]string{}}
	i.rotate()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", i.jwks)
	mux.HandleFunc("POST /poll", i.poll)
	mux.HandleFunc("POST /verify", i.verify)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *idp) rotate() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, key)
}

func (i *idp) jwks(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.down {
		http.Error(w, "down", http.StatusInternalServerError)
		return
	}
	var list []map[string]string
	for n, k := range i.keys {
		b, err := k.PublicKey.Bytes()
		if err != nil {
			i.t.Error(err)
		}
		list = append(list, map[string]string{
			"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": fmt.Sprint("key-", n),
			"x": base64.RawURLEncoding.EncodeToString(b[1:33]), "y": base64.RawURLEncoding.EncodeToString(b[33:]),
		})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": list})
}

// set is a SET to be changed before it is signed.
type set struct {
	header, claims map[string]any
	key            *ecdsa.PrivateKey
	secret         []byte // for HS256
}

var serial struct {
	sync.Mutex
	n int
}

// set returns a SET about an event of now.
func (i *idp) set(event string, subject, payload map[string]any) *set {
	serial.Lock()
	serial.n++
	jti := fmt.Sprint("set-", serial.n)
	serial.Unlock()
	i.mu.Lock()
	defer i.mu.Unlock()
	if payload == nil {
		payload = map[string]any{}
	}
	return &set{
		header: map[string]any{"alg": "ES256", "typ": "secevent+jwt", "kid": fmt.Sprint("key-", len(i.keys)-1)},
		claims: map[string]any{
			"iss": i.URL, "aud": "https://game.example/signals", "jti": jti, "iat": time.Now().Unix(), "txn": "8675309",
			"sub_id": subject, "events": map[string]any{event: payload},
		},
		key: i.keys[len(i.keys)-1],
	}
}

func (s *set) with(name string, v any) *set {
	s.claims = maps.Clone(s.claims)
	if s.claims[name] = v; v == nil {
		delete(s.claims, name)
	}
	return s
}

func (s *set) head(name string, v any) *set {
	s.header = maps.Clone(s.header)
	s.header[name] = v
	return s
}

func (s *set) jti() string { return s.claims["jti"].(string) }

func (s *set) String() string {
	h, _ := json.Marshal(s.header)
	c, _ := json.Marshal(s.claims)
	text := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sum := sha256.Sum256([]byte(text))
	var sig []byte
	switch {
	case s.header["alg"] == "none":
	case s.secret != nil:
		m := hmac.New(sha256.New, s.secret)
		m.Write([]byte(text))
		sig = m.Sum(nil)
	default:
		r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
		if err != nil {
			panic(err)
		}
		sig = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// send pushes to a receiver.
func send(t *testing.T, url, body string, change ...func(*http.Request)) (status int, err string) {
	t.Helper()
	q, e := http.NewRequest(http.MethodPost, url, bytes.NewReader([]byte(body)))
	if e != nil {
		t.Fatal(e)
	}
	q.Header.Set("Content-Type", "application/secevent+jwt")
	q.Header.Set("Accept", "application/json")
	for _, f := range change {
		f(q)
	}
	a, e := http.DefaultClient.Do(q)
	if e != nil {
		t.Fatal(e)
	}
	defer a.Body.Close()
	b, e := io.ReadAll(a.Body)
	if e != nil {
		t.Fatal(e)
	}
	if a.StatusCode == http.StatusAccepted && len(b) > 0 {
		t.Errorf("RFC 8935 2.2: the body of an acknowledgement is empty, and not %q", b)
	}
	if a.Header.Get("Content-Type") == "application/json" {
		var f struct{ Err, Description string }
		if e := json.Unmarshal(b, &f); e != nil || f.Description == "" || a.Header.Get("Content-Language") == "" {
			t.Errorf("RFC 8935 2.3: %q, %v", b, e)
		}
		return a.StatusCode, f.Err
	}
	return a.StatusCode, ""
}

// poll is RFC 8936 2.
func (i *idp) poll(w http.ResponseWriter, q *http.Request) {
	var p struct {
		MaxEvents         *int
		ReturnImmediately bool
		Ack               []string
		SetErrs           map[string]map[string]string
	}
	if err := json.NewDecoder(q.Body).Decode(&p); err != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.polls++
	if q.Header.Get("Authorization") != i.wants {
		http.Error(w, "who", http.StatusUnauthorized)
		return
	}
	for _, jti := range p.Ack {
		delete(i.queue, jti)
		i.acked = append(i.acked, jti)
	}
	for jti, e := range p.SetErrs {
		delete(i.queue, jti)
		i.errs[jti] = e
	}
	sets := map[string]string{}
	for _, jti := range slices.Sorted(maps.Keys(i.queue)) {
		if len(sets) < *p.MaxEvents {
			sets[jti] = i.queue[jti]
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"sets": sets, "moreAvailable": len(sets) < len(i.queue)})
}

// verify is SSF 1.0 8.1.4.2: the event is pushed at once.
func (i *idp) verify(w http.ResponseWriter, q *http.Request) {
	var v struct {
		StreamID string `json:"stream_id"`
		State    string
	}
	if err := json.NewDecoder(q.Body).Decode(&v); err != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	s := i.set(ssf+"verification", map[string]any{"format": "opaque", "id": v.StreamID}, map[string]any{"state": v.State})
	if status, err := send(i.t, i.push, s.String()); status != http.StatusAccepted {
		i.t.Errorf("verification: %d %s", status, err)
	}
	w.WriteHeader(http.StatusNoContent)
}

// profile is what an operator writes about the transmitter.
func (i *idp) profile(t *testing.T) token.Profile {
	t.Helper()
	keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: i.URL + "/jwks", Algorithm: token.ES256})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	return token.Profile{Issuer: i.URL, Audience: []string{"https://game.example/signals"}, Algorithm: token.ES256, Keys: keys}
}
