package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// meet makes a TLS connection between a client that shows c and s, in memory, and returns what s
// thinks of it.
func meet(s *identity.Source, c tls.Certificate, roles ...identity.Role) error {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		io.Copy(io.Discard, tls.Client(client, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c}})) // and the alert
	}()
	return tls.Server(server, s.ServerTLS(roles...)).Handshake()
}

// "NotYetValid: NotBefore is more than ClockTolerance away, two minutes"; "Expired: NotAfter is over; there is no
// tolerance"; "TooLong: it is good for longer than Config.MaxLife, 24 hours", to which "the tolerance of clocks is added".
func TestTimeBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := identitytest.New(t)
		s := a.Source(t, identity.GameState.Path())
		for _, tc := range []struct {
			from, to time.Duration
			want     identity.Refusal
		}{
			{-time.Hour, time.Second, 0},
			{-time.Hour, 0, identity.Expired},
			{-time.Hour, -time.Second, identity.Expired},
			{time.Minute, time.Hour, 0}, // clocks a minute apart
			{identity.ClockTolerance - time.Second, time.Hour, 0},
			{identity.ClockTolerance, time.Hour, 0},
			{identity.ClockTolerance + time.Second, time.Hour, identity.NotYetValid},
			{-time.Minute, 24*time.Hour - time.Minute, 0},
			{-time.Minute, 24*time.Hour + time.Minute, 0},
			{-time.Minute, 24*time.Hour + time.Minute + time.Second, identity.TooLong},
		} {
			svid := a.Issue(identity.Operator.Path(), func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = time.Now().Add(tc.from), time.Now().Add(tc.to)
			})
			err := meet(s, shown(svid)[0])
			if got, _ := err.(identity.Refusal); got != tc.want || err != nil && got == 0 {
				t.Errorf("good from %v to %v: %v, want %v", tc.from, tc.to, err, tc.want)
			}
		}
	})
}

// "MaxLife: negative any"
func TestAnyLife(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	s := a.Source(t, identity.GameState.Path(), func(c *identity.Config) { c.MaxLife = -1 })
	year := a.Issue(identity.Operator.Path(), func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(365 * 24 * time.Hour) })
	if err := meet(s, shown(year)[0]); err != nil {
		t.Error(err)
	}
}

// The log warns when a quarter of the certificate's life is left, and is louder at a tenth and at the end; the audit has
// an alarm for the last two; each once. A renewal begins anew.
func TestAgeIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w witness
		a := identitytest.New(t)
		a.SetLife(59 * time.Minute) // and a minute that is over
		s := a.Source(t, identity.GameState.Path(), w.watch, func(c *identity.Config) { c.Poll = time.Second })
		begun := time.Now()
		for _, step := range []struct {
			after                       time.Duration
			warned, dying, dead, alarms int
		}{
			{43 * time.Minute, 0, 0, 0, 0},
			{45 * time.Minute, 1, 0, 0, 0},
			{52 * time.Minute, 1, 0, 0, 0},
			{54 * time.Minute, 1, 1, 0, 1},
			{58 * time.Minute, 1, 1, 0, 1},
			{60 * time.Minute, 1, 1, 1, 2},
			{90 * time.Minute, 1, 1, 1, 2},
		} {
			time.Sleep(step.after - time.Since(begun))
			synctest.Wait()
			got := fmt.Sprint(len(w.lines("should have been renewed")), len(w.lines("about to expire")), len(w.lines("has expired")), len(w.all(audit.Alarm)))
			if want := fmt.Sprint(step.warned, step.dying, step.dead, step.alarms); got != want {
				t.Errorf("after %v: %s, want %s", step.after, got, want)
			}
		}
		if l := w.lines("has expired"); !strings.Contains(l[0], "do=") {
			t.Errorf("no word about what to do: %s", l)
		}
		a.Rotate()
		time.Sleep(3 * time.Second)
		if st := s.Status(); !st.NotAfter.After(time.Now()) || st.LastFailure != "" || st.Updates != 2 {
			t.Errorf("after a renewal: %+v", st)
		}
		time.Sleep(45 * time.Minute)
		if len(w.lines("should have been renewed")) != 2 {
			t.Error("the next certificate has no warning of its own")
		}
	})
}
