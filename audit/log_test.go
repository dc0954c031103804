package audit

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// linesOf runs f with a Log and returns its lines, without the time.
func linesOf(t *testing.T, level slog.Level, f func(l *Log)) []string {
	t.Helper()
	var b bytes.Buffer
	l := NewLog(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	f(l)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// The doc comment's attributes, one by one, and no other.
func TestLogLine(t *testing.T) {
	e := everything(Reject, DropToken)
	e.Cause = "token audience"
	got := linesOf(t, slog.LevelInfo, func(l *Log) {
		l.Record(e)
		l.Record(Event{Decision: Alarm, Issuer: "issuer", Detail: "wall clock stepped"})
		l.Record(Event{Decision: Close})
	})
	want := []string{
		`level=WARN msg=reject reason=token cause="token audience" detail=d part=network session=1 issuer=issuer scope=s network=192.0.2.0/24 previous=198.51.100.0/24`,
		`level=ERROR msg=alarm detail="wall clock stepped" issuer=issuer`,
		`level=INFO msg=close`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The doc comment's table of levels, each decision at its own.
func TestLogLevels(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "none accept reject step up flag revoke resume renew migrate replace close ban lift withdraw key rotation flood alarm operate deny",
		slog.LevelInfo:  "none accept reject step up flag revoke resume replace close ban lift withdraw key rotation flood alarm operate deny",
		slog.LevelWarn:  "reject step up flag revoke ban withdraw flood alarm deny",
		slog.LevelError: "alarm",
	} {
		var got []string
		for _, line := range linesOf(t, level, func(l *Log) {
			for d := range numDecisions {
				l.Record(Event{Decision: d})
			}
		}) {
			_, message, _ := strings.Cut(line, "msg=")
			message, _, _ = strings.Cut(message, " network=unknown") // what a call has
			got = append(got, strings.Trim(message, `"`))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %v", level, got, want)
		}
	}
}

// "At most 20 lines are written in one second of the clock, rejections in at most 10 of them", and the next line, or the
// last one, says how many were left out.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := linesOf(t, slog.LevelInfo, func(l *Log) {
			for range 1000 {
				l.Record(Event{Decision: Reject})
			}
			for range 12 {
				l.Record(Event{Decision: Accept})
			}
			l.Record(Event{Decision: Revoke})
			time.Sleep(time.Second)
			l.Record(Event{Decision: Accept})
			for range 30 {
				l.Record(Event{Decision: Accept})
			}
		})
		lines, leftOut := map[string]int{}, 0
		for _, line := range got {
			var n int
			if _, count, ok := strings.Cut(line, "left_out="); ok {
				fmt.Sscan(count, &n)
			}
			leftOut += n
			_, message, _ := strings.Cut(line, "msg=")
			word, _, _ := strings.Cut(message, " ")
			lines[word]++
		}
		want := map[string]int{"reject": 10, "accept": 30, "revoke": 1, "tally": 1}
		if fmt.Sprint(lines) != fmt.Sprint(want) || leftOut != 1000-10+2+11 {
			t.Errorf("%v, %d left out", lines, leftOut)
		}
	})
}

// hung is a slog.Handler that does not return before it is told.
type hung struct {
	slog.Handler
	release chan struct{}
	mu      sync.Mutex
	n       int
}

func (h *hung) Enabled(context.Context, slog.Level) bool { return true }

func (h *hung) Handle(context.Context, slog.Record) error {
	<-h.release
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	return nil
}

// "one that hangs holds up Close and nothing else"
func TestLogHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hung{release: make(chan struct{})}
		l := NewLog(slog.New(h))
		for range 2 * logQueue {
			l.Record(Event{Decision: Accept})
			time.Sleep(time.Second / 10)
		}
		for range serverBurst + revokeBurst {
			l.Record(Event{Decision: Alarm})
			l.Record(Event{Decision: Revoke})
		}
		closed := make(chan error)
		go func() { closed <- l.Close() }()
		synctest.Wait()
		l.Record(Event{Decision: Accept}) // does not wait for Close
		close(h.release)
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if most := logQueue + revokeBurst + serverBurst + 2; h.n < logQueue || h.n > most {
			t.Errorf("%d lines, at most %d", h.n, most)
		}
		if err := l.Close(); err != net.ErrClosed {
			t.Errorf("a second Close: %v", err)
		}
	})
}

// "A line has no name of a player, whether in clear or as a pseudonym, no token id, and nothing that a client states about
// itself"; texts are cleaned, and an address is cut to its network.
func TestLogHidesPlayers(t *testing.T) {
	for d := range numDecisions {
		for _, line := range linesOf(t, slog.LevelDebug, func(l *Log) {
			l.Record(Event{
				Decision: d, Issuer: "issuer", Subject: "player-zoe", TokenID: "token-id-3f", Session: 7, Platform: "evil-platform", Build: "evil-build",
				Prefix: netip.MustParsePrefix("192.0.2.77/32"), Previous: netip.MustParsePrefix("2001:db8::77/128"),
				Detail: "a\nlevel=ERROR\x1b[2J" + strings.Repeat("x", 1000), Scope: "s\r\n", Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
			})
		}) {
			for _, secret := range []string{"zoe", "token-id", "evil", "192.0.2.77", "::77", "\x1b", "\r", "4bf92f", strings.Repeat("x", 129)} {
				if strings.Contains(line, secret) {
					t.Errorf("%v: %q in %s", d, secret, line)
				}
			}
		}
	}
}
