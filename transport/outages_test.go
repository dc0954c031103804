package transport

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

// provider answers fetches of an issuer's keys, unless it is down.
type provider struct {
	keys []byte
	down atomic.Bool
}

func (p *provider) RoundTrip(*http.Request) (*http.Response, error) {
	if p.down.Load() {
		return nil, errors.New("down")
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(string(p.keys)))}, nil
}

// An operator reads since when an issuer's keys cannot be fetched, in an alarm and in Stats, and when they can again: one alarm
// for each, and none for a lost answer.
func TestOutages(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		idp := &provider{keys: w.issuer.JWKS()}
		remote, err := token.NewRemoteKeys(token.RemoteConfig{URL: "https://issuer.test/keys", Algorithm: token.ES256, Transport: idp})
		if err != nil {
			t.Fatal(err)
		}
		defer remote.Close()
		w.serve(func(c *Config) {
			p := w.issuer.Profile()
			p.Keys = remote
			if c.Verifier, err = token.NewVerifier(p); err != nil {
				t.Fatal(err)
			}
		})
		alarms := func() (list []string) {
			synctest.Wait()
			for _, e := range w.audit.all() {
				if e.Decision == audit.Alarm && e.Reason == audit.DropUnavailable && e.Issuer == testkit.IssuerName {
					list = append(list, e.Detail)
				}
			}
			return list
		}
		idp.down.Store(true)
		if _, err := w.try(1); err == nil {
			t.Fatal("let in without a key")
		}
		time.Sleep(2 * time.Second)
		if got := alarms(); len(got) != 1 || got[0] != "the issuer's keys cannot be fetched since 2000-01-01T00:00:00Z; there are none" {
			t.Errorf("alarms %q", got)
		}
		if got := w.server.Stats().Outages; len(got) != 1 || got[0].Issuer != testkit.IssuerName || got[0].Since.Unix() != 946684800 || !got[0].Until.IsZero() {
			t.Errorf("%+v", got)
		}
		idp.down.Store(false)
		time.Sleep(2 * time.Second)
		_, _ = w.try(2) // is refused, and has the keys fetched
		w.echo(w.dial(3), "hello")
		time.Sleep(2 * time.Second)
		if got := alarms(); len(got) != 2 || got[1] != "the issuer's keys can be fetched again" || w.server.Stats().Outages != nil {
			t.Errorf("alarms %q", got)
		}
		idp.down.Store(true)
		time.Sleep(2 * time.Hour) // at most one hour until the next fetch
		got := alarms()
		if len(got) != 3 || !strings.HasPrefix(got[2], "the issuer's keys cannot be fetched since 2000-01-01T") || !strings.Contains(got[2], "; those of before are good until 2000-01-0") {
			t.Errorf("alarms %q", got)
		}
	})
}
