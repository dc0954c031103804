package token_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

const marker = "do-not-quote-me"

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/"+marker)
		w.WriteHeader(code)
		fmt.Fprint(w, marker)
	}
}

// to redirects, wherever the request was for.
func to(where string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, where, http.StatusFound) }
}

// "body and key limits", "no redirects off host", and whatever else an endpoint may answer: over a real connection, a set
// that was good stays, and the error quotes nothing.
func TestRemoteHostileAnswers(t *testing.T) {
	idp := testkit.NewIDP(t)
	endpoint := idp.Serve(t)
	good := string(idp.JWKS())
	key := strings.TrimSuffix(strings.TrimPrefix(good, `{"keys":[`), `]}`)
	private := strings.Replace(good, `"kty"`, `"d":"AQAB","kty"`, 1)
	elsewhere := httptest.NewServer(answer(good))
	defer elsewhere.Close()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"503":                    {status(503), "status 503"},
		"404":                    {status(404), "status 404"},
		"204":                    {status(204), "status 204"},
		"304 unasked":            {status(304), "status 304"},
		"HTML":                   {answer("<html><body>" + marker + "</body></html>"), "of no use"},
		"empty":                  {answer(""), "of no use"},
		"no object":              {answer(`["` + marker + `"]`), "of no use"},
		"no keys":                {answer(`{"keys":[]}`), "of no use"},
		"keys no list":           {answer(`{"keys":{}}`), "of no use"},
		"a private key":          {answer(private), "of no use"},
		"a secret":               {answer(`{"keys":[{"kty":"oct","k":"AAAA"},` + key + `]}`), "of no use"},
		"keys for others":        {answer(strings.ReplaceAll(good, "RS256", "PS256")), "of no use"},
		"keys for encryption":    {answer(strings.ReplaceAll(good, `"sig"`, `"enc"`)), "of no use"},
		"short RSA key":          {answer(`{"keys":[{"kty":"RSA","kid":"a","e":"AQAB","n":"` + strings.Repeat("_", 170) + `"}]}`), "of no use"},
		"65 keys":                {answer(many(t, idp, 65)), "of no use"},
		"10,000 keys":            {answer(many(t, idp, 10_000)), "of no use"},
		"two documents":          {answer(good + good), "of no use"},
		"64 KiB and a byte":      {answer(good + strings.Repeat(" ", 64<<10+1-len(good))), "of no use"},
		"endless":                {endless, "of no use"},
		"breaks off":             {breaksOff, "breaks off"},
		"4 redirects":            {hops(4, good), "no answer"},
		"redirect elsewhere":     {to(elsewhere.URL), "no answer"},
		"redirect, other scheme": {to(strings.Replace(endpoint, "http:", "https:", 1)), "no answer"},
		"redirect, other name":   {to(strings.Replace(endpoint, "127.0.0.1", "localhost", 1)), "no answer"},
		"redirect, with user":    {to(strings.Replace(endpoint, "http://", "http://u:p@", 1) + "/x"), "no answer"},
		"redirect in circles":    {to("/" + marker), "no answer"},
		"redirect to a file":     {to("file:///etc/passwd"), "no answer"},
		"no HTTP":                {hangUp("junk " + marker + "\r\n\r\n"), "no answer"},
		"huge header":            {hangUp("HTTP/1.1 200 OK\r\nX: " + strings.Repeat(marker, 10_000) + "\r\n\r\n"), "no answer"},
		"hangs up":               {hangUp(""), "no answer"},
		"too late":               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no answer"},
		"body too late":          {stalls, "breaks off"},
		"body byte by byte":      {drips, "breaks off"},
	} {
		t.Run(name, func(t *testing.T) {
			var told error
			keys, err := token.NewRemoteKeys(token.RemoteConfig{
				URL: endpoint + "/" + testkit.Pool + "/.well-known/jwks.json", Algorithm: token.RS256, Timeout: time.Second,
				OnFetch: func(f token.Fetch) { told = f.Err },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer keys.Close() //nolint:errcheck // always nil
			idp.Answer(nil)
			if err := keys.Hydrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			idp.Answer(c.answer)
			if _, err := keys.Key(t.Context(), "unknown"); err != token.ErrUnavailable {
				t.Errorf("Key: %v", err)
			}
			if !errors.Is(told, token.ErrUnavailable) || !strings.HasSuffix(told.Error(), c.want) || strings.Contains(told.Error(), marker) {
				t.Errorf("OnFetch: %v, want %s", told, c.want)
			}
			if _, err := keys.Key(t.Context(), idp.KeyIDs()[0]); err != nil {
				t.Errorf("the keys that were there: %v", err)
			}
		})
	}
}

// What an operator needs to mend a fetch is in the chain.
func TestRemoteErrorWrapsItsCause(t *testing.T) {
	keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: "https://127.0.0.1:1/jwks.json", Algorithm: token.RS256})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close() //nolint:errcheck // always nil
	var cause *url.Error
	if err := keys.Hydrate(t.Context()); !errors.As(err, &cause) || !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A provider whose name does not resolve, or at which nobody listens, or that does not answer at all, is
// down like any: many who ask at once wait for one fetch, and for nothing afterwards.
func TestRemoteUnreachable(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // nobody has used it
	lost := errors.New("no name server")
	nameless := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, lost }}
	for name, c := range map[string]struct {
		url  string
		dial func(ctx context.Context, network, address string) (net.Conn, error)
	}{
		"no name":   {"https://idp.example/jwks.json", (&net.Dialer{Resolver: nameless}).DialContext},
		"no host":   {"https://127.0.0.1:1/jwks.json", nil},
		"no answer": {"http://" + silent.Addr().String() + "/jwks.json", nil},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := token.NewRemoteKeys(token.RemoteConfig{
				URL: c.url, Algorithm: token.RS256, Timeout: 200 * time.Millisecond, Transport: &http.Transport{DialContext: c.dial, DisableKeepAlives: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			before := runtime.NumGoroutine()
			var asking sync.WaitGroup
			for i := range 50 {
				asking.Go(func() {
					if _, err := keys.Key(t.Context(), fmt.Sprint("key ", i)); err != token.ErrUnavailable {
						t.Errorf("Key: %v", err)
					}
				})
			}
			asking.Wait()
			if s := keys.Stats(); s.Fetches != 1 || s.Failures != 1 {
				t.Errorf("%+v", s)
			}
			began := time.Now()
			for range 1000 {
				if _, err := keys.Key(t.Context(), "key"); err != token.ErrUnavailable {
					t.Errorf("Key: %v", err)
				}
			}
			if took := time.Since(began); took > 10*time.Second { // 200 ms each, if they waited
				t.Errorf("a thousand refusals take %v", took)
			}
			keys.Close() //nolint:errcheck // always nil
			for began := time.Now(); runtime.NumGoroutine() > before+2; time.Sleep(time.Millisecond) {
				if time.Since(began) > 10*time.Second {
					t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
				}
			}
		})
	}
}

// A redirect on the same host is followed, three times; 64 keys and 64 KiB are taken.
func TestRemoteLimits(t *testing.T) {
	idp := testkit.NewIDP(t)
	endpoint := idp.Serve(t)
	good := string(idp.JWKS())
	for name, h := range map[string]http.HandlerFunc{
		"64 keys":     answer(many(t, idp, 64)),
		"64 KiB":      answer(good + strings.Repeat(" ", 64<<10-len(good))),
		"3 redirects": hops(3, good),
	} {
		idp.Answer(h)
		keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: endpoint + "/jwks.json", Algorithm: token.RS256})
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Hydrate(t.Context()); err != nil {
			t.Errorf("%s: %v: %v", name, err, errors.Unwrap(err))
		}
		keys.Close() //nolint:errcheck // always nil
	}
}

// hops redirects n times on the same host before it answers.
func hops(n int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if done := strings.Count(r.URL.Path, "hop"); done < n {
			http.Redirect(w, r, "/"+strings.Repeat("hop", done+1), http.StatusFound)
			return
		}
		fmt.Fprint(w, body)
	}
}

// many is a set of n small keys, as they are.
func many(t *testing.T, idp *testkit.IDP, n int) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(idp.JWKS()), `"n":"`)
	modulus, _, _ := strings.Cut(rest, `"`)
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"kty":"RSA","kid":"%d","e":"AQAB","n":"%s"}`, i, modulus)
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

func endless(w http.ResponseWriter, r *http.Request) {
	for b := make([]byte, 1<<16); r.Context().Err() == nil; {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func breaksOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	fmt.Fprint(w, `{"keys":[`)
}

func stalls(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, `{"keys":[`)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// drips says something all the time, and never comes to an end.
func drips(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		fmt.Fprint(w, " ")
		w.(http.Flusher).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

// hangUp writes raw bytes in place of an answer.
func hangUp(raw string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		fmt.Fprint(c, raw)
		c.Close() //nolint:errcheck // it has served
	}
}

// "https only outside loopback", and bounds that make sense.
func TestRemoteConfig(t *testing.T) {
	for u, ok := range map[string]bool{
		"https://idp.example/jwks.json": true, "https://127.0.0.1:1/x": true, "https://idp.example:8443": true,
		"http://127.0.0.1:9229/p": true, "http://127.9.9.9/": true, "http://[::1]:80/": true, "http://localhost:9229/": true,
		"http://idp.example/": false, "http://128.0.0.1/": false, "http://localhost.example/": false, "http://0.0.0.0/": false,
		"http://[::ffff:10.0.0.1]/": false, "http://127.0.0.1.example/": false, "http://2130706433/": false,
		"": false, "idp.example/jwks.json": false, "https://": false, "https:/x": false, "https:idp.example": false, "//idp.example/": false,
		"ftp://127.0.0.1/": false, "file:///etc/jwks.json": false, "https://u:p@idp.example/": false, "https://idp.example/#x": false,
		"http://127.0.0.1@idp.example/": false, "https://idp.example/\n": false, "http://localhost@10.0.0.1/": false,
	} {
		check(t, u, ok, token.RemoteConfig{URL: u, Algorithm: token.RS256})
	}
	const u = "https://idp.example"
	for name, c := range map[string]token.RemoteConfig{
		"HS256":                         {URL: u, Algorithm: token.HS256},
		"none":                          {URL: u, Algorithm: "none"},
		"no algorithm":                  {URL: u},
		"MinRefresh 1 s - 1":            {URL: u, Algorithm: token.ES256, MinRefresh: time.Second - 1},
		"MinRefresh negative":           {URL: u, Algorithm: token.ES256, MinRefresh: -1},
		"MinRefresh above MaxRefresh":   {URL: u, Algorithm: token.ES256, MinRefresh: time.Hour + 1},
		"MaxRefresh as large as MaxAge": {URL: u, Algorithm: token.ES256, MaxRefresh: 24 * time.Hour},
		"Timeout negative":              {URL: u, Algorithm: token.ES256, Timeout: -1},
		"UnknownEvery negative":         {URL: u, Algorithm: token.ES256, UnknownEvery: -1},
		"UnknownBurst negative":         {URL: u, Algorithm: token.ES256, UnknownBurst: -1},
	} {
		check(t, name, false, c)
	}
	for name, c := range map[string]token.RemoteConfig{
		"EdDSA":             {URL: u, Algorithm: token.EdDSA},
		"MinRefresh 1 s":    {URL: u, Algorithm: token.ES256, MinRefresh: time.Second},
		"one refresh bound": {URL: u, Algorithm: token.ES256, MinRefresh: time.Hour},
	} {
		check(t, name, true, c)
	}
}

func check(t *testing.T, name string, ok bool, config token.RemoteConfig) {
	t.Helper()
	if keys, err := token.NewRemoteKeys(config); ok != (err == nil && keys != nil) || !ok && !errors.Is(err, token.ErrConfig) {
		t.Errorf("%q: %v, accepted should be %v", name, err, ok)
	}
}
