package transport

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/session"
)

// Every error of a configuration matches ErrConfig, names the field, and says once that the
// configuration is bad. A negative number means nothing in a Config.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	certificate, issuer := *testkit.NewAuthority(t).Server(t), testkit.NewIssuer(t)
	for field, change := range map[string]func(*Config){
		"Certificate":      func(c *Config) { c.Certificate.Certificate = nil },
		"ClientAuth":       func(c *Config) { c.ClientAuth = 3 },
		"Snapshot":         func(c *Config) { c.Snapshot = "file" },
		"Verifier":         func(c *Config) { c.Verifier = nil },
		"MaxHandshakes":    func(c *Config) { c.MaxHandshakes = -1 },
		"MaxUnproven":      func(c *Config) { c.MaxUnproven = -1 },
		"HandshakeTimeout": func(c *Config) { c.HandshakeTimeout = -1 },
		"Verifications":    func(c *Config) { c.Verifications = -1 },
		"Shards":           func(c *Config) { c.Shards = -1 },
		"Idle":             func(c *Config) { c.Session.Idle = -1 },
		"MaxUnproven: ":    func(c *Config) { c.MaxUnproven = 1<<24 + 1 },
		"Sources: ":        func(c *Config) { c.Sources.Unproven = -1 },
		"PerSecond":        func(c *Config) { c.Sources.PerSecond = -1 },
		"Lanes[0]":         func(c *Config) { c.Lanes = []Lane{{Mode: Ordered, Credit: -1}} },

		"Lanes: lane 1: the Mode is missing": func(c *Config) { c.Lanes = []Lane{{Mode: Ordered}, {}} },
		"Lanes: lane 0: a MaxMessage of 4096 bytes, want 1 to 1088 for latest": func(c *Config) {
			c.Lanes = []Lane{{Mode: Latest, MaxMessage: 4096}}
		},
	} {
		c := Config{Certificate: certificate, Verifier: issuer.Verifier(t)}
		change(&c)
		_, err := Listen("127.0.0.1:0", c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || strings.Count(err.Error(), "bad configuration") != 1 {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// The same for a ClientConfig.
func TestClientConfigRefused(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*ClientConfig){
		"Token":     func(c *ClientConfig) { c.Token = nil },
		"Window":    func(c *ClientConfig) { c.Session.Window = -64 },
		"Overlap":   func(c *ClientConfig) { c.Session.Overlap = -1 },
		"KeepAlive": func(c *ClientConfig) { c.Session.KeepAlive = -1 },
	} {
		c := ClientConfig{Token: func(context.Context) ([]byte, error) { return []byte("token"), nil }}
		change(&c)
		_, err := Dial(t.Context(), "127.0.0.1:9", c)
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) || strings.Count(err.Error(), "bad configuration") != 1 {
			t.Errorf("%s: %v", field, err)
		}
		if inner := errors.Is(err, session.ErrConfig); inner != (field != "Token") {
			t.Errorf("%s: %v matches session.ErrConfig: %v", field, err, inner)
		}
	}
}

// Errors of package net's kind: "It matches net.ErrClosed", "It is a net.Error whose Timeout reports true".
func TestErrorsOfNet(t *testing.T) {
	t.Parallel()
	for _, err := range []error{ErrServerClosed, ErrGone, ErrDisconnected, &CloseError{Reason: session.ReasonFull}} {
		if !errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v does not match net.ErrClosed alone", err)
		}
	}
	if errors.Is(ErrServerClosed, ErrDisconnected) || errors.Is(ErrTimeout, net.ErrClosed) {
		t.Error("two errors are one")
	}
	timeout, ok := errors.AsType[net.Error](ErrTimeout)
	if !ok || !timeout.Timeout() {
		t.Errorf("%v is no timeout", ErrTimeout)
	}
}

// Enums have names, and a number that means nothing says so.
func TestEventNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		EventJoined.String():         "joined",
		EventClosed.String():         "closed",
		ClientEventKind(0).String():  "event 0",
		ClientEventKind(99).String(): "event 99",
		DoubtNone.String():           "none",
		DoubtFlagged.String():        "flagged",
		Doubt(3).String():            "doubt 3",
		NoticeStepUp.String():        "step up",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
