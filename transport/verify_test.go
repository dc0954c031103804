package transport

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// farAway answers fetches of a key set: the first at once, the others after a while.
type farAway struct {
	keys  []byte
	takes time.Duration
	asked atomic.Int64
}

// RoundTrip implements http.RoundTripper.
func (f *farAway) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.asked.Add(1) > 1 {
		select {
		case <-time.After(f.takes):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(f.keys)), Request: r}, nil
}

// invented is a token that names a key which nobody has.
func invented(t *testing.T, raw string, n int) []byte {
	t.Helper()
	header, rest, _ := strings.Cut(raw, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	var names map[string]string
	if err == nil {
		err = json.Unmarshal(b, &names)
	}
	if err != nil {
		t.Fatal(err)
	}
	names["kid"] = fmt.Sprint("invented ", n)
	if b, err = json.Marshal(names); err != nil {
		t.Fatal(err)
	}
	return []byte(base64.RawURLEncoding.EncodeToString(b) + "." + rest)
}

// remote makes the server's keys those of an endpoint that answers slowly after the first time.
func (w *world) remote(takes time.Duration) (configure func(*Config), end func()) {
	w.Helper()
	keys, err := token.NewRemoteKeys(token.RemoteConfig{
		URL: "https://issuer.test/jwks", Algorithm: token.ES256, Transport: &farAway{keys: w.issuer.JWKS(), takes: takes},
	})
	if err == nil {
		err = keys.Hydrate(context.Background())
	}
	if err != nil {
		w.Fatal(err)
	}
	p := w.issuer.Profile()
	p.Keys = keys
	v, err := token.NewVerifier(p)
	if err != nil {
		w.Fatal(err)
	}
	return func(c *Config) { c.Verifier, c.Verifications = v, 2 }, func() { keys.Close() } //nolint:errcheck // always nil
}

// wrapped is a Verifier around another.
type wrapped struct{ Verifier }

// silent is a Verifier that says nothing before it waits.
type silent struct{ Verifier }

// Verify implements Verifier.
func (v silent) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	return v.Verifier.Verify(token.WithWait(ctx, func() error { return nil }), now, raw)
}

// "those with known keys never queue behind them" PROTOCOL.md 12: while strangers show tokens with invented names of keys, all day
// long and in any number, players whose key is known come in as if there were nobody else.
func TestInventedKeysDelayNobody(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(Verifier) Verifier{
		"token.Verifier": func(v Verifier) Verifier { return v },
		"one around it":  func(v Verifier) Verifier { return wrapped{v} },
		"a silent one":   func(v Verifier) Verifier { return silent{v} },
	} {
		for _, strangers := range []int{3, 40} {
			if testing.Short() && strangers > 3 {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d strangers", name, strangers), func(t *testing.T) {
				t.Parallel()
				virtual(t, func(w *world) {
					const latency = 10 * time.Millisecond
					w.net.SetImpairment(netsim.Impairment{Latency: latency})
					configure, end := w.remote(4 * time.Second)
					defer end()
					r := w.run(configure, func(c *Config) { c.Verifier = wrap(c.Verifier) })
					done := make(chan struct{})
					var wg sync.WaitGroup
					for i := range strangers {
						raw := w.issuer.Token(w, grantFor(1))
						wg.Go(func() {
							for n := 0; ; n++ {
								select {
								case <-done:
									return
								case <-time.After(100 * time.Millisecond):
								}
								_, _ = w.try(200+i, func(c *ClientConfig) {
									c.Token = func(context.Context) ([]byte, error) { return invented(t, raw, 1000*i+n), nil }
								})
							}
						})
					}
					time.Sleep(time.Second)
					for i := range 50 {
						start := time.Now()
						c, err := w.try(i)
						most := 8*latency + 2*time.Millisecond
						if name == "a silent one" {
							most += 20 * verifyPatience // behind some of which nobody knew
						}
						if d := time.Since(start); err != nil || d > most {
							w.Errorf("player %d, whose key is known, is in after %v: %v", i, d, err)
						} else {
							c.Close()
						}
						time.Sleep(300 * time.Millisecond)
					}
					close(done)
					wg.Wait()
					w.end(r, r.Close)
				})
			})
		}
	}
}

// waits is a Verifier that waits for every token until it is let go, and may say so beforehand.
type waits struct {
	says    bool
	let     chan struct{}
	waiting atomic.Int64
}

// Verify implements Verifier.
func (v *waits) Verify(ctx context.Context, _ time.Time, _ []byte) (*token.Claims, error) {
	if v.says {
		if err := token.AboutToWait(ctx); err != nil {
			return nil, token.ErrUnavailable
		}
	}
	v.waiting.Add(1)
	defer v.waiting.Add(-1)
	select {
	case <-v.let:
		return &token.Claims{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// outcomes counts how jobs end.
type outcomes struct {
	sync.Mutex
	list []error
}

func (o *outcomes) done(_ *token.Claims, err error) {
	o.Lock()
	defer o.Unlock()
	o.list = append(o.list, err)
}

func (o *outcomes) over() int {
	o.Lock()
	defer o.Unlock()
	return len(o.list)
}

func (o *outcomes) count(want error) (n int) {
	o.Lock()
	defer o.Unlock()
	for _, err := range o.list {
		if errors.Is(err, want) || err == want {
			n++
		}
	}
	return n
}

// "256 in all, for 5 s" PROTOCOL.md 12. "4 for each IPv4 /24 or IPv6 /64, 16 for each /56, 64 for
// each /48" PROTOCOL.md 12. "A client whose token finds no room to wait gets CLOSE with reason 12."
// PROTOCOL.md 12: at once, and the others when the time is over.
func TestParkingIsBounded(t *testing.T) {
	t.Parallel()
	const workers = 32
	address := func(i int) netip.Addr { return stranger(200 * i).Addr() }
	for name, c := range map[string]struct {
		from func(i int) netip.Addr
		room int
	}{
		"one /24":   {func(i int) netip.Addr { return stranger(i).Addr() }, maxParkedEach},
		"one /64":   {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 14: byte(i >> 8), 15: byte(i)}) }, maxParkedEach},
		"one /56":   {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 7: byte(i)}) }, 4 * maxParkedEach},
		"one /48":   {func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 6: byte(i), 7: byte(i >> 8)}) }, 16 * maxParkedEach},
		"many /24s": {address, maxParked},
	} {
		for _, says := range []bool{true, false} {
			for _, n := range []int{c.room - 1, c.room, c.room + 1} {
				t.Run(fmt.Sprintf("%s, says so %v, %d", name, says, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancel(context.Background())
						v, out := &waits{says: says, let: make(chan struct{})}, &outcomes{}
						p := newVerifications(ctx, v, workers)
						for i := range n {
							p.submit(job{now: time.Now(), from: c.from(i), done: out.done})
						}
						time.Sleep(time.Duration(n/workers+2) * verifyPatience)
						synctest.Wait()
						if n <= c.room && (out.over() != 0 || v.waiting.Load() != int64(n)) {
							t.Errorf("%d of %d wait, %d are over", v.waiting.Load(), n, out.over())
						}
						if n > c.room && (v.waiting.Load() != int64(c.room) || out.count(session.ErrBusy) != n-c.room) {
							t.Errorf("%d of %d wait, want %d; %d are over", v.waiting.Load(), n, c.room, out.over())
						}
						time.Sleep(parkTime)
						synctest.Wait()
						if got := out.count(session.ErrBusy); got != n || v.waiting.Load() != 0 || p.parked.Load() != 0 {
							t.Errorf("%d of %d have waited in vain, %d still wait, %d are parked", got, n, v.waiting.Load(), p.parked.Load())
						}
						// Their places, and the workers', are there again.
						close(v.let)
						for i := range c.room {
							p.submit(job{now: time.Now(), from: c.from(i), done: out.done})
						}
						synctest.Wait()
						if got := out.count(nil); got != c.room {
							t.Errorf("%d of %d afterwards", got, c.room)
						}
						cancel()
						p.wg.Wait()
					})
				})
			}
		}
	}
}
