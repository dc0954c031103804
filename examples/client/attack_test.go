package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/attack"
)

// attacked runs the program with -attack and -json.
func attacked(t *testing.T, name string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"-json", "-attack", name, "-duration", "2s"}, args...), &stdout, &stderr, false)
	var r attack.Report
	d := json.NewDecoder(&stdout)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%v; standard error: %s", err, &stderr)
	}
	if code != exitOK || !r.OK() || r.Attack != name || len(r.Rows) == 0 || r.Honest.Connected != honestPlayers || r.Honest.Sent == 0 {
		t.Errorf("exit status %d, verdict %s: %s\nhonest: %+v", code, r.Verdict, strings.Join(r.Failures, "\n"), r.Honest)
	}
}

// "Verdict ok when the server held."
func TestAttacks(t *testing.T) {
	t.Parallel()
	for _, name := range attack.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attacked(t, name)
		})
	}
}

// A server elsewhere does not show what it audits; what it drops it does.
func TestAttackElsewhere(t *testing.T) {
	t.Parallel()
	addr, file, _ := devServer(t)
	for _, name := range []string{"stolen-token", "replay", "flip-fingerprint", "forged-tag", "lanes"} {
		attacked(t, name, "-connect", addr, "-dev-file", file)
	}
}

func TestAttackInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"-attack", "replay", "-duration", "1h"}, &stdout, &stderr, false)
	if code != exitInterrupted || !strings.Contains(stdout.String(), "interrupted") {
		t.Errorf("exit status %d\n%s%s", code, &stdout, &stderr)
	}
}

func TestAttackUsage(t *testing.T) {
	for _, args := range [][]string{
		{"-attack", "nonsense"},
		{"-attack", "bot", "-loss", "0.1"},
		{"-attack", "bot", "-churn", "0.1"},
		{"-attack", "stall", "-connect", "127.0.0.1:1", "-dev-file", "file"},
		{"-attack", "bot", "-connect", "127.0.0.1:1", "-token", "file"},
		{"-attack", "bot", "-connect", "127.0.0.1:1", "-token-url", "http://127.0.0.1:1"},
	} {
		wantUsage(t, args)
	}
}
