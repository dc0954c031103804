package identity_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/identity/identitytest"
)

// "Their writer may replace each by rename, or write it in place; an incomplete state is not used": the former
// certificate stays, an operator is told what to do once, and the next good state is used.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	path := identity.GameState.Path("eu-7")
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, a *identitytest.Authority, f identity.Files)
		want  string // in the log
	}{
		"half a certificate": {func(t *testing.T, _ *identitytest.Authority, f identity.Files) { cut(t, f.Certificate) }, "certificate"},
		"half a key":         {func(t *testing.T, _ *identitytest.Authority, f identity.Files) { cut(t, f.Key) }, "private key"},
		"half a bundle":      {func(t *testing.T, _ *identitytest.Authority, f identity.Files) { cut(t, f.Bundle) }, "bundle"},
		"no key":             {func(t *testing.T, _ *identitytest.Authority, f identity.Files) { os.Remove(f.Key) }, "no such file"},
		"empty":              {func(t *testing.T, _ *identitytest.Authority, f identity.Files) { write(t, f.Certificate, nil) }, "certificate"},
		"huge": {func(t *testing.T, _ *identitytest.Authority, f identity.Files) {
			write(t, f.Bundle, make([]byte, 1<<20+1))
		}, "longer than 1 MiB"},
		"key of another": {func(t *testing.T, a *identitytest.Authority, f identity.Files) {
			_, key, err := a.Issue(path).Marshal()
			write(t, f.Key, key)
			if err != nil {
				t.Fatal(err)
			}
		}, "does not match"},
		"certificate of another service": {func(t *testing.T, a *identitytest.Authority, f identity.Files) {
			a.Write(t, f, a.Issue(identity.Operator.Path()))
		}, "this service is spiffe://game.example/role/game-state/eu-7"},
		"of an authority that is not in the bundle": {func(t *testing.T, a *identitytest.Authority, f identity.Files) {
			a.Write(t, f, identitytest.New(t).Issue(path))
		}, "no authority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var w witness
				a := identitytest.New(t)
				f := a.Files(t, path)
				s := a.Source(t, path, w.watch, func(c *identity.Config) { c.Files, c.Poll = f, time.Second })
				client := a.Issue(identity.Operator.Path())
				time.Sleep(time.Minute)
				before := s.Status()
				tc.spoil(t, a, f)
				time.Sleep(time.Minute)
				if st := s.Status(); st.Updates != before.Updates || st.NotAfter != before.NotAfter || st.Failures == 0 || st.LastFailure == "" {
					t.Errorf("with bad files: %+v", st)
				}
				l := w.lines("not used")
				if len(l) != 1 || !strings.Contains(l[0], tc.want) || !strings.Contains(l[0], "do=") || len(w.all(audit.Alarm)) != 1 {
					t.Errorf("want one line with %q and one alarm: %s", tc.want, w.log.String())
				}
				if err := meet(s, shown(client)[0]); err != nil {
					t.Errorf("the former certificate is not used: %v", err)
				}
				a.Write(t, f, a.Issue(path))
				time.Sleep(time.Minute)
				if st := s.Status(); st.Updates != before.Updates+1 || st.LastFailure != "" {
					t.Errorf("with good files: %+v", st)
				}
			})
		})
	}
}

func cut(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, b[:len(b)/2])
}

func write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A state between two good ones that is gone at the next look is not told of: whoever renews certificates writes three
// files, one after the other.
func TestFilesInBetween(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w witness
		path := identity.GameState.Path()
		a := identitytest.New(t)
		f := a.Files(t, path)
		s := a.Source(t, path, w.watch, func(c *identity.Config) { c.Files, c.Poll = f, time.Second })
		for range 10 {
			next := a.Issue(path)
			certificate, key, err := next.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			write(t, f.Certificate, certificate)
			time.Sleep(900 * time.Millisecond)
			write(t, f.Key, key)
			time.Sleep(1500 * time.Millisecond)
		}
		if st := s.Status(); st.Updates != 11 || st.LastFailure != "" || len(w.all(audit.Alarm)) != 0 || len(w.lines("not used")) != 0 {
			t.Errorf("%+v, %s", st, w.log.String())
		}
	})
}

// Each change of a certificate is a line in the audit and in the log; what was there already is none. A key that others
// can read is told of.
func TestRotationIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w witness
		path := identity.GameState.Path()
		a := identitytest.New(t)
		f := a.Files(t, path)
		if err := os.Chmod(f.Key, 0o644); err != nil {
			t.Fatal(err)
		}
		a.Source(t, path, w.watch, func(c *identity.Config) { c.Files = f })
		for range 3 {
			a.Rotate()
			time.Sleep(time.Second)
		}
		if n := len(w.all(audit.KeyRotation)); n != 4 || len(w.lines("in use")) != 4 {
			t.Errorf("%d lines of 4 certificates: %s", n, w.log.String())
		}
		if len(w.lines("chmod")) != 1 {
			t.Error("no word about a key that everybody can read")
		}
		if strings.Contains(w.log.String(), "PRIVATE KEY") {
			t.Error("the log has a key")
		}
	})
}

// The files of a development authority are good, private, and loud.
func TestDevAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/authority"
	first, err := identity.NewDevAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := first.Issue(identity.GameState, "eu", "7")
	if err != nil {
		t.Fatal(err)
	}
	again, err := identity.NewDevAuthority(dir)
	if err != nil {
		t.Fatal(err)
	}
	g, err := again.Issue(identity.Operator)
	if err != nil {
		t.Fatal(err)
	}
	var w witness
	open := func(f identity.Files) *identity.Source {
		return identitytest.New(t).Source(t, "/unused", w.watch, func(c *identity.Config) { c.Files = f })
	}
	server, client := open(f), open(g)
	if status, body := get(client, serve(t, server, server.Require(identity.Drain, handler)), identity.GameState); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	if st := server.Status(); st.ID != "spiffe://"+identity.DevDomain+"/role/game-state/eu/7" || st.NotAfter.Sub(st.NotBefore) != 24*time.Hour {
		t.Errorf("%+v", st)
	}
	if len(w.all(audit.Alarm)) != 2 || len(w.lines("DEVELOPMENT")) != 2 {
		t.Error("not loud")
	}
	for _, name := range []string{f.Key, dir + "/authority.key"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	for _, parts := range [][]string{{".."}, {"a b"}, {""}} {
		if _, err := again.Issue(identity.Operator, parts...); err == nil {
			t.Errorf("a certificate for %q", parts)
		}
	}
	if _, err := again.Issue(identity.NoRole); !errors.Is(err, identity.UnknownRole) {
		t.Errorf("without a role: %v", err)
	}
	write(t, dir+"/authority.key", []byte("x"))
	if _, err := identity.NewDevAuthority(dir); err == nil || !strings.Contains(err.Error(), "remove the directory") {
		t.Errorf("a spoiled authority: %v", err)
	}
}

// The files have the same certificate with another chain behind it, as when an authority is replaced
// and what it has signed gets an intermediate: peers that know the new authority only need that chain.
func TestAnotherChain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := identitytest.New(t)
		path := identity.GameState.Path("eu-7")
		f := a.Files(t, path)
		s := a.Source(t, path, func(c *identity.Config) { c.Files, c.Poll = f, time.Second })
		before := s.Status()
		leaf, err := os.ReadFile(f.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		behind := a.Bundle().X509Authorities()[0].Raw
		write(t, f.Certificate, append(leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: behind})...))
		time.Sleep(5 * time.Second)
		if st := s.Status(); st.Updates != before.Updates+1 || st.LastFailure != "" {
			t.Errorf("%+v, before %+v", st, before)
		}
		if chain := s.Certificate().Certificate; len(chain) != 2 || !bytes.Equal(chain[1], behind) {
			t.Errorf("%d certificates are shown, want the new chain of 2", len(chain))
		}
	})
}
