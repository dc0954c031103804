//go:build linux

package main

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every contender that can run here delivers each message, and some of the bulk.
func TestContenders(t *testing.T) {
	glimpse := times{Warm: 100 * time.Millisecond, Quiet: 2 * time.Second, Bulk: 2 * time.Second, Drain: 2 * time.Second}
	list := trials(regexp.MustCompile(`^messages-2m-clean/`), glimpse)
	if len(list) < 3 {
		t.Fatalf("%d contenders, want all that need no library of C", len(list))
	}
	p := glance(t)
	for _, tr := range list {
		t.Run(tr.Contender, func(t *testing.T) {
			t.Parallel()
			o, relay, err := p.try(&tr, p.client)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(o.Quiet); n < 60 || o.Missing != 0 || o.Large <= 0 || o.CPU <= 0 {
				t.Errorf("%d messages alone, %v", n, o)
			}
			if relay.Down.Delivered == 0 || relay.Up.Delivered == 0 {
				t.Errorf("%v: they met without the link", relay)
			}
		})
	}
}

// "If send has blocked, the next message is as old as it should be."
func TestBlockedMessagesAge(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newWork()
	if err := w.tick(ctx, &slowPair{w: w, over: cancel}); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	all := slices.Concat(w.delays[:]...)
	if len(all) != slowMessages {
		t.Fatalf("%d messages, want %d", len(all), slowMessages)
	}
	if got := all[slowMessage+1]; got < 150 {
		t.Errorf("the message after the slow one took %.0f ms, want what it waited for that", got)
	}
}

// Of so many messages a slowPair blocks one.
const (
	slowMessages = 24
	slowMessage  = 4
)

// slowPair delivers at once, except for the message that it blocks. It ends with the last.
type slowPair struct {
	w    *work
	sent int
	over func()
}

func (p *slowPair) send(lane int, b []byte) error {
	switch p.sent {
	case slowMessage:
		time.Sleep(200 * time.Millisecond)
	case slowMessages - 1:
		p.over()
	}
	p.sent++
	p.w.deliver(lane, b)
	return nil
}

func (p *slowPair) close() {}

// Who is ahead: less time, more goodput, ours when equal.
func TestVerdicts(t *testing.T) {
	o := func(contender string, ms, rate float64) outcome {
		return outcome{Condition: "2m-clean", Contender: contender, Quiet: slices.Repeat(delays{ms}, 10), Large: rate, Small: rate}
	}
	for _, c := range []struct {
		ms, rate float64
		want     string
	}{
		{10, 1e6, "| 2000 KB/s | sallyport (1.00) | sallyport (1.00) |\n\nsallyport is behind in 0 of 2"},
		{20, 2e6, "| 2000 KB/s | kcp-go (2.00) | sallyport (2.00) |\n\nsallyport is behind in 1 of 2"},
		{5, 5e5, "| 2000 KB/s | sallyport (0.50) | kcp-go (0.50) |\n\nsallyport is behind in 1 of 2"},
	} {
		var b strings.Builder
		writeMatrix(&b, []outcome{o("kcp-go", 10, 1e6), o(ours, c.ms, c.rate)})
		if !strings.Contains(b.String(), c.want) {
			t.Errorf("%q is missing from\n%s", c.want, &b)
		}
	}
}
