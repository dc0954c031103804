package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/succession"
)

// The server of -restart-server is this test's own executable.
func TestMain(m *testing.M) {
	if succession.IsChild() {
		os.Exit(succession.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// "Verdict ok when every player went on with the session it had, nothing was lost that need not be", and the audit shows
// it.
func TestTurns(t *testing.T) {
	migrate, blackout, restart := []string{"-migrate", "-duration", "3200ms"}, []string{"-blackout", "600ms", "-duration", "4700ms"},
		[]string{"-restart-server", "-duration", "4s"}
	all := func(r soak.Report, decision string) bool { return r.Audit[decision] == uint64(r.Players) }
	migrated := func(r soak.Report) bool { return r.Migrated == uint64(r.Players) && all(r, "migrate") }
	restarted := func(r soak.Report) bool {
		return r.Resumed == uint64(r.Players) && all(r, "resume") && r.Audit["close"] >= uint64(r.Players)
	}
	dark := func(r soak.Report) bool { return all(r, "accept") }
	for name, test := range map[string]struct {
		args  []string
		more  []string
		shown func(r soak.Report) bool
	}{
		"migrate":        {migrate, nil, migrated},
		"far migrate":    {migrate, []string{"-latency", "30ms", "-duplicate", "0.05", "-bearer"}, migrated},
		"blackout":       {blackout, nil, dark},
		"lossy blackout": {blackout, []string{"-loss", "0.05", "-reorder", "0.1", "-duplicate", "0.05"}, dark},
		"dark renewal":   {blackout, []string{"-renew", "-duration", "12s"}, func(r soak.Report) bool { return r.Renewed > 0 && r.Audit["renew"] >= r.Renewed }},
		"restart":        {restart, nil, restarted},
		"lossy restart":  {restart, []string{"-loss", "0.05", "-duplicate", "0.05", "-latency", "10ms"}, restarted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, code := play(t, t.Context(), append(append([]string{}, test.args...), test.more...)...)
			wantOK(t, r, code)
			if r.Pause == nil || r.Pause.Max <= 0 || !test.shown(r) {
				t.Errorf("%+v, pause %+v", r, r.Pause)
			}
		})
	}
}

// "The audit is that of the server in this program or, at its status address, of server -dev; other servers are not asked."
func TestTurnsElsewhere(t *testing.T) {
	t.Parallel()
	addr, file, dev := devServer(t)
	r, code := play(t, t.Context(), "-connect", addr, "-dev-file", file, "-migrate", "-duration", "3200ms")
	wantOK(t, r, code)
	if r.Migrated != uint64(r.Players) || r.Audit["migrate"] != uint64(r.Players) {
		t.Errorf("%d migrated, audited %v", r.Migrated, r.Audit)
	}
	tokens, ca := tokenFiles(t, dev, mint(t, dev, "alice"), mint(t, dev, "bob"))
	r, code = play(t, t.Context(), "-connect", addr, "-token", tokens, "-ca", ca, "-migrate", "-duration", "3200ms", "-players", "2")
	wantOK(t, r, code)
	if r.Migrated != 2 || r.Audit != nil {
		t.Errorf("%d migrated, audited %v", r.Migrated, r.Audit)
	}
}

// "Interrupt ends it cleanly with the table so far", also within a blackout.
func TestTurnInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-blackout", "3s"}, {"-restart-server"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		r, code := play(t, ctx, append(args, "-duration", "8s")...)
		cancel()
		if code != exitInterrupted || r.Verdict != "failed" || r.Sent == 0 || r.Lost != 0 || len(r.Failures) != 1 {
			t.Errorf("%v: exit status %d, %+v", args, code, r)
		}
	}
}

// "A row in the table for what happened."
func TestTurnTable(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"-players", "2", "-migrate", "-duration", "3200ms"}, &stdout, &stderr, true)
	for _, want := range []string{"went on      2 migrated, 0 resumed; after p50 ", "audit        2 accept, 2 close, 2 migrate", "verdict      ok"} {
		if code != exitOK || !strings.Contains(stdout.String(), want) {
			t.Errorf("exit status %d, no %q in\n%s%s", code, want, &stdout, &stderr)
		}
	}
}

// "Without -duration these last as long as they need."
func TestTurnDuration(t *testing.T) {
	for _, test := range []struct {
		args []string
		want time.Duration
	}{
		{nil, 10 * time.Second},
		{[]string{"-migrate"}, 10 * time.Second},
		{[]string{"-migrate", "-players", "500"}, 14 * time.Second},
		{[]string{"-blackout", "4s"}, 10 * time.Second},
		{[]string{"-blackout", "10s"}, 16 * time.Second},
		{[]string{"-blackout", "10s", "-duration", "15s"}, 15 * time.Second},
		{[]string{"-restart-server"}, 10 * time.Second},
	} {
		f, _ := parse(test.args, &bytes.Buffer{}, &bytes.Buffer{})
		if f == nil || f.config.Duration != test.want {
			t.Errorf("%v: %+v, want %v", test.args, f, test.want)
		}
	}
}

func TestTurnUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-migrate", "-duration", "3s"},
		{"-migrate", "-players", "500", "-duration", "12s"},
		{"-migrate", "-blackout", "1s"},
		{"-migrate", "-restart-server"},
		{"-migrate", "-churn", "0.1"},
		{"-migrate", "-attack", "replay"},
		{"-blackout", "-1s"},
		{"-blackout", "30s"},
		{"-blackout", "1s", "-duration", "5s"},
		{"-blackout", "1s", "-churn", "0.1"},
		{"-blackout", "1s", "-attack", "replay"},
		{"-restart-server", "-duration", "3s"},
		{"-restart-server", "-connect", "127.0.0.1:1"},
		{"-restart-server", "-attack", "replay"},
		{"-restart-server", "-churn", "0.1"},
		{"-restart-server", "-bearer"},
		{"-restart-server", "-reorder", "0.1"},
	} {
		wantUsage(t, args)
	}
}

// "null when none of these happened"
func TestTurnFields(t *testing.T) {
	var stdout, stderr bytes.Buffer
	run(t.Context(), []string{"-json", "-players", "1", "-duration", "100ms"}, &stdout, &stderr, false)
	var top map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pause_ms", "audit"} {
		if v, ok := top[name]; !ok || v != nil {
			t.Errorf("%s: %v, want null", name, v)
		}
	}
}
