package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/token"
)

// play runs the program with -json and reads its one object.
func play(t *testing.T, ctx context.Context, args ...string) (soak.Report, int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(ctx, append([]string{"-json", "-players", "6", "-duration", "1s"}, args...), &stdout, &stderr, false)
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", &stderr)
	}
	var r soak.Report
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Error("more than one JSON object on standard output")
	}
	return r, code
}

func wantOK(t *testing.T, r soak.Report, code int) {
	t.Helper()
	if code != exitOK || r.Verdict != "ok" || r.Connected != r.Players || r.Lost != 0 || r.Sent == 0 || r.Received == 0 {
		t.Errorf("exit status %d, %+v", code, r)
	}
}

// "verdict ok, every unlost datagram delivered exactly once"
func TestEmbedded(t *testing.T) {
	for name, args := range map[string][]string{
		"plain":        nil,
		"impaired":     {"-loss", "0.05", "-reorder", "0.1", "-duplicate", "0.05"},
		"latency":      {"-latency", "20ms"},
		"bearer":       {"-bearer"},
		"lossy bearer": {"-bearer", "-loss", "0.1"},
		"renew":        {"-renew", "-duration", "6s"},
		"lossy renew":  {"-renew", "-duration", "6s", "-loss", "0.05", "-bearer"},
		"churn":        {"-churn", "1"},
		"large":        {"-payload", "1145"},
		"small":        {"-payload", "16", "-rate", "240"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, code := play(t, t.Context(), args...)
			wantOK(t, r, code)
			if r.Server.Scope != "process" || r.Server.Allocs == nil || *r.Server.SessionsPeak < r.Players {
				t.Errorf("server: %+v", r.Server)
			}
		})
	}
}

// "exactly one JSON object", of exactly these fields.
func TestFields(t *testing.T) {
	var stdout, stderr bytes.Buffer
	run(t.Context(), []string{"-json", "-players", "1", "-duration", "100ms"}, &stdout, &stderr, false)
	var top map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	same := func(what string, object any, want string) {
		if got := strings.Join(slices.Sorted(maps.Keys(object.(map[string]any))), " "); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	same("object", top, "audit connected drained failures lanes lost migrated missed pause_ms players received rejected renewed resumed rtt_ms sent server verdict")
	same("rtt_ms", top["rtt_ms"], "max p50 p95 p99")
	same("lane", top["lanes"].([]any)[0], "arrived bytes lost mode name p50_ms p99_ms sent")
	same("server", top["server"], "allocs_per_datagram cpu_us_per_datagram drops scope sessions_peak")
	if top["failures"] == nil || top["rejected"] == nil {
		t.Errorf("null in place of an empty list: %s", &stdout)
	}
}

// devServer is a server that another process could run, and its development file.
func devServer(t *testing.T) (addr, file string, dev *gameserver.Dev) {
	t.Helper()
	dev, err := gameserver.NewDev()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dev.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	s, err := gameserver.Start(gameserver.Config{
		Listen: "127.0.0.1:0", Tick: 60, Status: "127.0.0.1:0", Certificate: dev.Certificate, Verifier: verifier, Dev: dev,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	file = filepath.Join(t.TempDir(), "dev.json")
	f := gameserver.File{Addr: s.Addr().String(), CA: string(dev.CA), TokenURL: s.URL() + "/token"}
	if err := f.Write(file); err != nil {
		t.Fatal(err)
	}
	return f.Addr, file, dev
}

func TestConnect(t *testing.T) {
	t.Parallel()
	addr, file, _ := devServer(t)
	r, code := play(t, t.Context(), "-connect", addr, "-dev-file", file)
	wantOK(t, r, code)
	if r.Server.Scope != "server" {
		t.Errorf("scope %q, want server", r.Server.Scope)
	}
}

// tokenFiles writes -token and -ca for as many players as there are grants.
func tokenFiles(t *testing.T, dev *gameserver.Dev, lines ...string) (tokens, ca string) {
	t.Helper()
	dir := t.TempDir()
	tokens, ca = filepath.Join(dir, "tokens"), filepath.Join(dir, "ca.pem")
	for path, text := range map[string]string{tokens: strings.Join(lines, "\n"), ca: string(dev.CA)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return tokens, ca
}

func mint(t *testing.T, dev *gameserver.Dev, subject string) string {
	t.Helper()
	s, err := dev.Issuer.Mint(time.Now(), token.Grant{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	addr, _, dev := devServer(t)
	tokens, ca := tokenFiles(t, dev, "\ufeff"+mint(t, dev, "alice")+" \r", "", "\t"+mint(t, dev, "bob"), "")
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-connect", addr, "-token", tokens, "-ca", ca, "-duration", "300ms"}, &stdout, &stderr, false)
	if code != exitOK || !strings.Contains(stdout.String(), "2 of 2 connected") || stderr.Len() > 0 {
		t.Errorf("exit status %d\n%s%s", code, &stdout, &stderr)
	}
}

// "A rejected player learns the reason code"
func TestRejected(t *testing.T) {
	t.Parallel()
	addr, _, dev := devServer(t)
	other, err := gameserver.NewDev()
	if err != nil {
		t.Fatal(err)
	}
	twice := mint(t, dev, "alice")
	tokens, ca := tokenFiles(t, dev, twice, twice, mint(t, other, "mallory"))
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-json", "-connect", addr, "-token", tokens, "-ca", ca, "-duration", "300ms"}, &stdout, &stderr, false)
	var r soak.Report
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"token already used": 1, "bad token": 1}
	if code != exitFailed || r.Verdict != "failed" || r.Connected != 1 || !maps.Equal(r.Rejected, want) {
		t.Errorf("exit status %d, %+v", code, r)
	}
}

// "Interrupt ends it cleanly with the table so far", exit status 130.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	r, code := play(t, ctx, "-duration", "1h")
	if code != exitInterrupted || r.Verdict != "failed" || r.Sent == 0 || r.Lost != 0 || len(r.Failures) != 1 {
		t.Errorf("exit status %d, %+v", code, r)
	}
}

// "On a terminal a progress line, otherwise none."
func TestProgress(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-players", "2", "-duration", "1500ms"}, &stdout, &stderr, true)
	if code != exitOK || !strings.Contains(stderr.String(), "2 of 2 connected") || !strings.Contains(stdout.String(), "verdict") {
		t.Errorf("exit status %d\n%s%s", code, &stdout, &stderr)
	}
}

// "A bad flag, key file, certificate or token: one clear sentence on standard error that says what to change, exit
// status 2"
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	empty, junk := filepath.Join(dir, "empty"), filepath.Join(dir, "junk")
	for path, text := range map[string]string{empty: "", junk: "junk"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"-nonsense"},
		{"argument"},
		{"-players", "0"},
		{"-players", "many"},
		{"-rate", "241"},
		{"-payload", "15"},
		{"-payload", "1146"},
		{"-payload", "513", "-bearer"},
		{"-duration", "0s"},
		{"-loss", "1.1"},
		{"-loss", "NaN"},
		{"-churn", "-0.1"},
		{"-latency", "3s"},
		{"-renew", "-duration", "2s"},
		{"-ca", junk},
		{"-connect", "nowhere"},
		{"-connect", "127.0.0.1:1", "-dev-file", filepath.Join(dir, "missing")},
		{"-connect", "127.0.0.1:1", "-dev-file", junk},
		{"-connect", "127.0.0.1:1", "-token", filepath.Join(dir, "missing")},
		{"-connect", "127.0.0.1:1", "-token", empty},
		{"-connect", "127.0.0.1:1", "-token", junk},
		{"-connect", "127.0.0.1:1", "-token", junk, "-renew"},
		{"-connect", "127.0.0.1:1", "-ca", junk},
		{"-nakama", "127.0.0.1:7350"},
		{"-nakama", "ftp://127.0.0.1"},
		{"-nakama", "http://127.0.0.1:1"},
		{"-nakama-key", "key", "-token-url", "http://127.0.0.1:1"},
		{"-nakama", "http://127.0.0.1:1", "-token", junk, "-connect", "127.0.0.1:1"},
		{"-nakama", "http://127.0.0.1:1", "-token", junk, "-loss", "0.1"},
		{"-nakama", "http://127.0.0.1:1", "-token", junk, "-players", "2"},
		{"-nakama", "http://127.0.0.1:1", "-token", junk},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr, false)
		if code != exitUsage || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: exit status %d, standard output %q, standard error %q", args, code, &stdout, &stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr, false); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit status %d, standard error %q", code, &stderr)
	}
	for _, want := range []string{"Exit status", "-connect", "-churn", "rtt_ms", "-attack", "forged-tag", "-cognito-client", passwordVariable, "-restart-server", "pause_ms"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%s is missing from the help", want)
		}
	}
}
