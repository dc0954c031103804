package identity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// impostor is a certificate that must not be believed.
type impostor struct {
	refusal identity.Refusal
	svid    *x509svid.SVID // nil: none
	vouched bool           // an authority of ours has signed the id, so the audit may name it
}

func uris(texts ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.URIs = nil
		for _, text := range texts {
			u, err := url.Parse(text)
			if err != nil {
				panic(err)
			}
			c.URIs = append(c.URIs, u)
		}
	}
}

// impostors are one and more for each Refusal of a certificate.
func impostors(t *testing.T, a *identitytest.Authority) map[string]impostor {
	good := identity.Operator.Path("console")
	times := func(from, to time.Duration) func(*x509.Certificate) {
		now := time.Now()
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }
	}
	const minute = time.Minute
	return map[string]impostor{
		"none": {identity.NoCertificate, nil, false},
		"DNS name only": {identity.NoID, a.Issue(good, uris(), func(c *x509.Certificate) {
			c.DNSNames = []string{"operator.game.example"}
		}), false},
		"https URI":      {identity.NoID, a.Issue(good, uris("https://game.example/role/operator")), false},
		"dots in id":     {identity.NoID, a.Issue(good, uris("spiffe://game.example/role/../role/operator")), false},
		"query in id":    {identity.NoID, a.Issue(good, uris("spiffe://game.example/role/operator?role=operator")), false},
		"escaped id":     {identity.NoID, a.Issue(good, uris("spiffe://game.example/role%2foperator")), false},
		"two ids":        {identity.SeveralIDs, a.Issue(good, uris(a.ID(good), a.ID(identity.Auth.Path()))), false},
		"id and URL":     {identity.SeveralIDs, a.Issue(good, uris(a.ID(good), "https://game.example/")), false},
		"other domain":   {identity.WrongDomain, identitytest.NewDomain(t, "other.example").Issue(good), false},
		"domain in ours": {identity.WrongDomain, a.Issue(good, uris("spiffe://sub.game.example/role/operator")), false},
		"authority": {identity.NotAService, a.Issue(good, func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, c.KeyUsage|x509.KeyUsageCertSign
		}), false},
		"no signatures": {identity.NotAService, a.Issue(good, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }), false},
		"forged":        {identity.UnknownIssuer, identitytest.New(t).Issue(good), false},
		"expired":       {identity.Expired, a.Issue(good, times(-2*time.Hour, -time.Second)), true},
		"forged, old":   {identity.UnknownIssuer, identitytest.New(t).Issue(good, times(-2*time.Hour, -time.Second)), false},
		"clock ahead":   {identity.NotYetValid, a.Issue(good, times(identity.ClockTolerance+minute, time.Hour)), true},
		"a year":        {identity.TooLong, a.Issue(good, times(-minute, 365*24*time.Hour)), true},
		"denied":        {identity.Denied, a.Issue(identity.Operator.Path("stolen")), true},
		"no role":       {identity.UnknownRole, a.Issue("/workload/operator"), true},
		"unknown role":  {identity.UnknownRole, a.Issue("/role/root"), true},
		"role's prefix": {identity.UnknownRole, a.Issue("/role/operators"), true},
		"role in depth": {identity.UnknownRole, a.Issue("/eu/role/operator"), true},
		"no path":       {identity.UnknownRole, a.Issue(good, uris("spiffe://game.example")), true},
		"wrong role":    {identity.WrongRole, a.Issue(identity.Leaderboard.Path()), true},
	}
}

// shown is a TLS certificate of svid.
func shown(svid *x509svid.SVID) []tls.Certificate {
	if svid == nil {
		return nil
	}
	return []tls.Certificate{{Certificate: [][]byte{svid.Certificates[0].Raw}, PrivateKey: svid.PrivateKey}}
}

// told checks that the operator has been told of a refusal once, and of nothing else.
func told(t *testing.T, w *witness, i impostor, path, what string) {
	t.Helper()
	soon(t, "deny "+i.refusal.String(), func() bool { return len(w.all(audit.Deny)) > 0 })
	e := w.all(audit.Deny)[0]
	if e.Cause != i.refusal.String() || e.Operation != what || (e.Actor != "") != i.vouched || e.Prefix != netip.MustParsePrefix("127.0.0.0/24") {
		t.Errorf("%s: audit has %+v, want cause %q, an actor: %v", path, e, i.refusal, i.vouched)
	}
	if l := w.lines("cause=\"" + i.refusal.String()); len(l) == 0 && len(w.lines("cause="+i.refusal.String())) == 0 || len(w.lines(" do=")) == 0 {
		t.Errorf("%s: the log does not say what to do: %s", path, w.log.String())
	}
	if i.svid != nil && !i.vouched && len(w.lines("role/operator")) > 0 {
		t.Errorf("%s: the log repeats a name that nobody vouches for: %s", path, w.log.String())
	}
}

// "These checks are made of a peer's certificate": by a server, of real clients.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	for name, i := range impostors(t, a) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w witness
			s := a.Source(t, identity.GameState.Path(), w.watch, deny(a))
			entered := false
			url := serve(t, s, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered = true }), identity.Operator, identity.Auth)
			c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: shown(i.svid)}}}
			if r, err := c.Get(url); err == nil {
				r.Body.Close()
				t.Error("was answered")
			}
			told(t, &w, i, name, "handshake")
			if entered {
				t.Error("reached the handler")
			}
		})
	}
}

// The same, by a client, of real servers.
func TestClientRefuses(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	for name, i := range impostors(t, a) {
		if i.svid == nil {
			continue // a server without a certificate cannot answer
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: shown(i.svid), ClientAuth: tls.RequestClientCert})
			if err != nil {
				t.Fatal(err)
			}
			server := http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
			defer server.Close()
			go server.Serve(l)
			var w witness
			s := a.Source(t, identity.Auth.Path(), w.watch, deny(a))
			status, body := get(s, "https://"+l.Addr().String(), identity.Operator)
			if status != 0 || !strings.Contains(body, i.refusal.Error()) {
				t.Errorf("%d %s, want %v", status, body, i.refusal)
			}
			told(t, &w, i, name, "handshake")
		})
	}
}

func deny(a *identitytest.Authority) func(*identity.Config) {
	return func(c *identity.Config) { c.Policy.Denied = []string{a.ID(identity.Operator.Path("stolen"))} }
}

// "A resumed connection would outlive the certificate that it stands on", and nothing below TLS 1.3 is spoken.
func TestTLS13Alone(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	s := a.Source(t, identity.GameState.Path())
	url := serve(t, s, handler)
	address := strings.TrimPrefix(url, "https://")
	svid := a.Issue(identity.Operator.Path())
	old := &tls.Config{InsecureSkipVerify: true, Certificates: shown(svid), MaxVersion: tls.VersionTLS12}
	if _, err := tls.Dial("tcp", address, old); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	resuming := &tls.Config{InsecureSkipVerify: true, Certificates: shown(svid), ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	for range 3 {
		tr := &http.Transport{TLSClientConfig: resuming}
		r, err := (&http.Client{Transport: tr}).Get(url)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		tr.CloseIdleConnections()
		if r.TLS.DidResume || r.TLS.Version != tls.VersionTLS13 {
			t.Errorf("resumed %v, version %x", r.TLS.DidResume, r.TLS.Version)
		}
	}
	if old := s.ClientTLS(identity.Operator); old.MinVersion != tls.VersionTLS13 {
		t.Error("a client speaks less than TLS 1.3")
	}
}

// A certificate alone proves nothing: its key has to sign. Whoever shows another's gets no further.
func TestCertificateWithoutKey(t *testing.T) {
	t.Parallel()
	a := identitytest.New(t)
	s := a.Source(t, identity.GameState.Path())
	url := serve(t, s, handler)
	stolen, other := a.Issue(identity.Operator.Path()), a.Issue(identity.Operator.Path())
	stolen.PrivateKey = other.PrivateKey
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: shown(stolen)}}}
	if r, err := c.Get(url); err == nil {
		r.Body.Close()
		t.Error("was answered")
	}
	if _, err := s.Peer(tls.ConnectionState{PeerCertificates: stolen.Certificates}); err != identity.NoCertificate {
		t.Errorf("Peer of half a handshake: %v", err)
	}
}

// The log has a line a second for each Refusal, and says how many it has left out; the audit has its own bounds.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	var w witness
	a := identitytest.New(t)
	s := a.Source(t, identity.GameState.Path(), w.watch)
	address := strings.TrimPrefix(serve(t, s, handler), "https://")
	begun := time.Now()
	n := 0
	for ; n < 50 || len(w.lines("left_out=0")) == len(w.lines("peer refused")); n++ {
		c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(context.Background(), "tcp", address)
		if err == nil {
			c.Read(make([]byte, 1))
			c.Close()
		}
	}
	if got, most := len(w.lines("peer refused")), 2+int(time.Since(begun)/time.Second); got > most {
		t.Errorf("%d lines of %d refusals, want at most %d", got, n, most)
	}
}
