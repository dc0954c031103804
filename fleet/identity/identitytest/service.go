package identitytest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/sallyport/sallyport/fleet/identity"
)

// Source returns the identity of a service by files, and closes it when the test ends. The files
// are looked at each 50 ms.
func (a *Authority) Source(tb testing.TB, path string, change ...func(*identity.Config)) *identity.Source {
	tb.Helper()
	return open(tb, identity.Config{Files: a.Files(tb, path), Poll: 50 * time.Millisecond}, change)
}

// WorkloadSource returns the identity of a service by a Workload API of its own, and closes it when
// the test ends.
func (a *Authority) WorkloadSource(tb testing.TB, path string, change ...func(*identity.Config)) *identity.Source {
	tb.Helper()
	return open(tb, identity.Config{Socket: a.Serve(tb, path).Address(), Poll: 50 * time.Millisecond}, change)
}

func open(tb testing.TB, c identity.Config, change []func(*identity.Config)) *identity.Source {
	tb.Helper()
	for _, f := range change {
		f(&c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := identity.New(ctx, c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() }) //nolint:errcheck // the test is over
	return s
}

// Files writes the files of a service, and again with each Rotate.
func (a *Authority) Files(tb testing.TB, path string) identity.Files {
	tb.Helper()
	dir := tb.TempDir()
	f := identity.Files{
		Certificate: filepath.Join(dir, "service.pem"), Key: filepath.Join(dir, "service.key"), Bundle: filepath.Join(dir, "bundle.pem"),
	}
	renew := func() { a.Write(tb, f, a.Issue(path)) }
	renew()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = append(a.services, renew)
	return f
}

// Write replaces the files f by svid and the bundle, each by rename.
func (a *Authority) Write(tb testing.TB, f identity.Files, svid *x509svid.SVID) {
	tb.Helper()
	certificate, key, err := svid.Marshal()
	if err != nil {
		tb.Error(err)
		return
	}
	bundle, err := a.Bundle().Marshal()
	if err != nil {
		tb.Error(err)
		return
	}
	for _, file := range []struct {
		name    string
		content []byte
	}{{f.Bundle, bundle}, {f.Key, key}, {f.Certificate, certificate}} {
		if err := os.WriteFile(file.name+".new", file.content, 0o600); err != nil {
			tb.Error(err)
		}
		if err := os.Rename(file.name+".new", file.name); err != nil {
			tb.Error(err)
		}
	}
}
