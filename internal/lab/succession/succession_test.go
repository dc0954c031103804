package succession

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/subprocess"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

func start(t *testing.T) *Server {
	t.Helper()
	s, err := Start(60)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// join lets a player in, and returns when the server has heard from it: it hands nobody on who may not be there.
func join(t *testing.T, s *Server) *transport.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.Dev().CA)
	c, err := transport.Dial(t.Context(), s.Addr(), transport.ClientConfig{
		RootCAs: roots, Session: session.ClientConfig{Scope: "arena"},
		Token: func(context.Context) ([]byte, error) {
			raw, err := s.Dev().Issuer.Mint(time.Now(), token.Grant{Subject: "alice", Scope: "arena"})
			return []byte(raw), err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Send(make([]byte, arena.InputLen)); err != nil {
		t.Fatal(err)
	}
	for delivered := uint64(0); delivered == 0; {
		delivered = receives(t, c).Delivered
	}
	return c
}

// receives wants a snapshot.
func receives(t *testing.T, c *transport.Client) arena.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var b [transport.MaxPayload]byte
	n, err := c.Receive(ctx, b[:])
	if err != nil {
		t.Fatal(err)
	}
	s, err := arena.ParseSnapshot(b[:n])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gone wants a process to have ended.
func gone(t *testing.T, p *process) {
	t.Helper()
	other, err := os.FindProcess(p.ID())
	if err == nil && other.Signal(syscall.Signal(0)) == nil {
		t.Error("the process runs")
	}
}

// handover reads the audits once the present process has written what it did: it writes in the
// background.
func handover(t *testing.T, s *Server) (h Handover, resumed map[uint32]bool) {
	t.Helper()
	for began := time.Now(); len(resumed) == 0 && time.Since(began) < 5*time.Second; time.Sleep(10 * time.Millisecond) {
		var err error
		if h, err = s.Handover(t.Context()); err != nil {
			t.Fatal(err)
		}
		resumed = h.Present.Sessions("resume")
	}
	return h, resumed
}

// "A second process on the same port goes on with the players", as often as it is asked to; both audit it, and what they
// did adds up.
func TestReplace(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := join(t, s)
	for range 2 {
		former, match := s.present, receives(t, c).Match
		if err := s.Replace(t.Context()); err != nil {
			t.Fatal(err)
		}
		gone(t, former)
		for receives(t, c).Match == match { // came before
		}
		h, resumed := handover(t, s)
		left := h.Former.Sessions("close handed on to the next process")
		if len(left) != 1 || len(resumed) != 1 || h.Handshakes.Started != 0 {
			t.Errorf("%v left, %v resumed, %+v", left, resumed, h.Handshakes)
		}
	}
	if n := c.Stats().Resumed; n != 0 {
		t.Errorf("%d times by ticket", n)
	}
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Sessions != 1 || stats.Handshakes.Completed != 1 || stats.Sent == 0 {
		t.Errorf("%+v", stats)
	}
	last := s.present
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	gone(t, last)
	if _, err := os.Stat(string(s.folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if err := s.Replace(t.Context()); err == nil {
		t.Error("replaced after Close")
	}
	if _, err := s.Stats(t.Context()); err == nil {
		t.Error("stats after Close")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// "A temporary one of this user alone (mode 0700)", and every file in it likewise.
func TestFolderIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no file modes")
	}
	s := start(t)
	join(t, s)
	if err := s.Replace(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(string(s.folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		files++
		return err
	})
	if err != nil || files < 7 {
		t.Errorf("%d files, %v", files, err)
	}
	if _, err := s.Handover(t.Context()); err != nil {
		t.Error(err)
	}
}

// "The end of its input is another matter: this process is gone then, and so the child ends at once and removes the
// folder."
func TestParentGone(t *testing.T) {
	t.Parallel()
	s := start(t)
	if err := s.present.wait(); err == nil {
		t.Error("a child without a parent has ended as told")
	}
	if _, err := os.Stat(string(s.folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

// A child that dies is missed by whoever asks it, and it leaves nothing that would keep Close from returning.
func TestChildDies(t *testing.T) {
	t.Parallel()
	s := start(t)
	if p, err := os.FindProcess(s.present.ID()); err != nil || p.Kill() != nil {
		t.Fatalf("the child cannot be killed (%v)", err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := s.Stats(t.Context()); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a dead child answers")
		}
	}
	if err := s.Replace(t.Context()); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("replaced a dead child: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A child that cannot do what it is told says why.
func TestChildRefuses(t *testing.T) {
	t.Parallel()
	s := start(t)
	for want, o := range map[string]order{
		"address already in use": s.order(2, s.Addr()),
		"no such file":           {Folder: "/missing", Listen: "127.0.0.1:0", Tick: 60},
	} {
		p, err := spawn()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.serve(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		gone(t, p)
	}
	p, err := spawn()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ask("junk", startTime); err == nil {
		t.Error("obeys what is no order")
	}
	if err := p.wait(); err == nil {
		t.Error("has ended as told")
	}
}

// "A program that does not know of children" starts itself once.
func TestNoChildOfAChild(t *testing.T) {
	t.Setenv(variable, "1")
	if _, err := Start(60); !errors.Is(err, subprocess.ErrNested) {
		t.Errorf("%v, want %v", err, subprocess.ErrNested)
	}
}
