package tally

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// What a Trail is told as a sink, and what it reads of the lines of another one, is the same.
func TestTrail(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	lines, err := audit.NewJSON(&text, audit.JSONConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var told, read Trail
	both := audit.Tee(lines, &told)
	for _, e := range []audit.Event{
		{Decision: audit.Accept, Session: 1, Subject: "alice"},
		{Decision: audit.Migrate, Session: 1},
		{Decision: audit.Migrate, Session: 1},
		{Decision: audit.Migrate, Session: 1 << 31},
		{Decision: audit.Reject, Reason: audit.DropUsed},
		{Decision: audit.Close, Session: 1, Detail: "handed on to the next process"},
		{Decision: audit.Close, Session: 2},
	} {
		both.Record(e)
	}
	if err := lines.Close(); err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(text.String()) {
		if err := read.ReadLine([]byte(l), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]uint64{"accept": 1, "migrate": 3, "reject used": 1, "close": 2}
	for name, trail := range map[string]*Trail{"told": &told, "read": &read} {
		if got := trail.Counts(); !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		for what, ids := range map[string][]uint32{
			"migrate": {1, 1 << 31}, "close": {2}, "close handed on to the next process": {1}, "reject": {0}, "renew": nil,
		} {
			got := trail.Sessions(what)
			for _, id := range ids {
				if !got[id] {
					t.Errorf("%s: %s of %v, want %v", name, what, got, ids)
				}
			}
			if len(got) != len(ids) {
				t.Errorf("%s: %s of %v, want %v", name, what, got, ids)
			}
		}
		if trail.Missing() != 0 {
			t.Errorf("%s: %d missing", name, trail.Missing())
		}
	}
}

// "Unless it is of before since", to the millisecond; what a line says to have left out counts without a decision.
func TestTrailReads(t *testing.T) {
	t.Parallel()
	var trail Trail
	since := time.UnixMilli(1000)
	for _, l := range []string{
		`{"decision": "renew", "time": 999, "unmapped": {"suppressed": 4}}`,
		`{"decision": "renew", "time": 1000, "unmapped": {"suppressed": 2}}`,
		`{"time": 1001, "unmapped": {"suppressed": 1, "lost": 3}}`,
	} {
		if err := trail.ReadLine([]byte(l), since); err != nil {
			t.Error(err)
		}
	}
	if c := trail.Counts(); len(c) != 1 || c["renew"] != 1 || trail.Missing() != 6 {
		t.Errorf("%v, %d missing", c, trail.Missing())
	}
	if trail.ReadLine([]byte("junk"), since) == nil {
		t.Error("junk read")
	}
}

func TestNoTrail(t *testing.T) {
	t.Parallel()
	var trail *Trail
	if trail.Counts() != nil || trail.Sessions("renew") != nil || trail.Missing() != 0 {
		t.Error("a nil Trail is not empty")
	}
}
