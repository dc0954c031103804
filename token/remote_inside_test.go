package token

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/aging"
)

// published answers each fetch with the same set.
type published []byte

func (p published) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(p)))}, nil
}

// poolVerifier accepts tokens like those of cognito(), whose key it has fetched.
func poolVerifier(t testing.TB) (*Verifier, *RemoteKeys) {
	p := profiles()[3]
	r := must(NewRemoteKeys(RemoteConfig{
		URL: "https://cognito.example/jwks.json", Algorithm: RS256,
		Transport: published(marshalJWKSet(must(NewPublicKey("rs", RS256, &rsaKey().PublicKey)))),
	}))
	t.Cleanup(func() { r.Close() }) //nolint:errcheck // always nil
	if err := r.Hydrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Keys = r
	return must(NewVerifier(p)), r
}

// ofKB is a token of Cognito of 1 KB or a little more.
func ofKB() []byte {
	f := cognito()
	for pad := ""; len(f.String()) < 1024; pad += "p" {
		f.with("pad", pad)
	}
	return []byte(f.String())
}

// "a JWKS hit takes no lock": it returns while somebody else holds the only one there is.
func TestRemoteHitTakesNoLock(t *testing.T) {
	v, r := poolVerifier(t)
	raw := string(ofKB())
	must(verify(t, v, raw))
	r.mu.Lock()
	defer r.mu.Unlock()
	must(verify(t, v, raw))
	must(r.Key(t.Context(), "rs"))
}

func TestRemoteNoAllocs(t *testing.T) {
	v, _ := poolVerifier(t)
	raw, ctx := ofKB(), t.Context()
	recognise := func() { must(v.Verify(ctx, now, raw)) }
	recognise()
	if n := testing.AllocsPerRun(100, recognise); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// "recognising an identity token of 1 KB that was verified before costs <= 300 ns and no allocation"
func BenchmarkRecognise(b *testing.B) {
	v, _ := poolVerifier(b)
	raw, ctx := ofKB(), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(ctx, now, raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRemoteKey(b *testing.B) {
	_, r := poolVerifier(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Key(ctx, "rs"); err != nil {
			b.Fatal(err)
		}
	}
}

// Tokens verified with them need not be verified again: a background fetch of the same keys leaves the keys themselves,
// but not one that has another's name, or another algorithm's key.
func TestRemoteKeepsEqualKeys(t *testing.T) {
	es, other := must(NewPublicKey("a", ES256, &ecKey().PublicKey)), must(NewPublicKey("a", ES256, &otherKey().PublicKey))
	b := must(NewPublicKey("b", ES256, &ecKey().PublicKey))
	for _, c := range []struct {
		before, after []Key
		kept          []bool
	}{
		{[]Key{es}, []Key{must(NewPublicKey("a", ES256, &ecKey().PublicKey))}, []bool{true}},
		{[]Key{es, b}, []Key{must(NewPublicKey("b", ES256, &ecKey().PublicKey)), other}, []bool{true, false}},
		{[]Key{es}, []Key{other}, []bool{false}},
		{[]Key{es}, []Key{must(NewPublicKey("a", EdDSA, edKey().Public()))}, []bool{false}},
	} {
		before, after := must(NewStaticKeys(c.before...)), must(NewStaticKeys(c.after...))
		after.keep(before)
		for i, k := range c.after {
			now := after.find(k.id)
			if kept := now.same(before.find(k.id)); kept != c.kept[i] || !now.equal(k) {
				t.Errorf("%s of %d: kept %v", k.id, len(c.after), kept)
			}
			if len(c.after) == 1 && !after.find("").same(now) {
				t.Error("the only key is another")
			}
		}
	}
}

// "bounded negative kids"
func TestAbsentIsBounded(t *testing.T) {
	r := RemoteKeys{absent: aging.New[time.Time](maxAbsent)}
	for i := range 10 * maxAbsent {
		kid := fmt.Sprint(i)
		r.absent.Put(kid, now.Add(absentLife))
		if !r.isAbsent(kid, now.Add(absentLife-1)) || r.isAbsent(kid, now.Add(absentLife)) {
			t.Fatalf("name %d", i)
		}
		if old := i - maxAbsent; old >= 0 && !r.isAbsent(fmt.Sprint(old), now) {
			t.Fatalf("name %d forgotten after %d more", old, maxAbsent)
		}
		if old := i - 2*maxAbsent; old >= 0 && r.isAbsent(fmt.Sprint(old), now) {
			t.Fatalf("name %d still known after %d more", old, 2*maxAbsent)
		}
	}
}

func TestJitter(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := jitter(time.Hour)
		if seen[d] = true; d > time.Hour || d < 54*time.Minute {
			t.Fatal(d)
		}
	}
	if len(seen) < 900 {
		t.Errorf("%d of 1000 differ", len(seen))
	}
}

// RFC 9111 5.2.2, "Cache-Control within bounds": 5 min to an hour.
func TestCacheControl(t *testing.T) {
	c := must(RemoteConfig{URL: "https://idp.example", Algorithm: RS256}.complete())
	for value, want := range map[string]time.Duration{
		"": time.Hour, "public": time.Hour, "max-age=1800": 30 * time.Minute, "public, max-age=1800, must-revalidate": 30 * time.Minute,
		"Max-Age=1800": 30 * time.Minute, `max-age="1800"`: 30 * time.Minute, "max-age=299": 5 * time.Minute, "max-age=0": 5 * time.Minute,
		"max-age=301": 301 * time.Second, "max-age=3599": 3599 * time.Second, "max-age=3601": time.Hour, "max-age=2147483647": time.Hour,
		"max-age=99999999999999999999": time.Hour, "max-age=-1": time.Hour, "max-age=x": time.Hour, "max-age": time.Hour,
		"s-maxage=1": time.Hour, "no-store": 5 * time.Minute, "no-cache": 5 * time.Minute, "private,no-store,max-age=0": 5 * time.Minute,
	} {
		h := http.Header{}
		if value != "" {
			h.Set("Cache-Control", value)
		}
		if got := c.life(h); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

// "no redirects off host"
func TestStayOnHost(t *testing.T) {
	request := func(u string) *http.Request { return must(http.NewRequest(http.MethodGet, u, nil)) }
	via := []*http.Request{request("https://idp.example/jwks.json")}
	for u, ok := range map[string]bool{
		"https://idp.example/other?x=1": true, "http://idp.example/jwks.json": false, "https://idp.example:8443/": false,
		"https://evil.example/jwks.json": false, "https://u:p@idp.example/jwks.json": false, "https://idp.example.evil/": false,
	} {
		if err := stayOnHost(request(u), via); (err == nil) != ok {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// equal agrees with == on all lengths around its steps, wherever the one difference is.
func TestEqual(t *testing.T) {
	for n := range 34 {
		a := []byte(strings.Repeat("x", n))
		if !equal(a, []byte(string(a))) || equal(a, append([]byte(string(a)), 'x')) {
			t.Errorf("%d bytes: equal ones differ", n)
		}
		for i := range n {
			for bit := range 8 {
				b := []byte(string(a))
				if b[i] ^= 1 << bit; equal(a, b) {
					t.Errorf("%d bytes: bit %d of byte %d is not seen", n, bit, i)
				}
			}
		}
	}
}
