package natscarrier_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/internal/testkit"
)

// streamBytes is how large the stream is, and how large it may be.
func streamBytes(t *testing.T, url string) (now, most int64) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(within(t, patience), "SALLYPORT")
	if err != nil {
		t.Fatal(err)
	}
	info := s.CachedInfo()
	if info.Config.Discard != jetstream.DiscardNew {
		t.Error("the oldest revocations make room for new ones")
	}
	return int64(info.State.Bytes), info.Config.MaxBytes
}

// "What finds no room is not stored, and nothing older is dropped for it": a writer that stores without end
// fills no disk, and nobody is un-revoked. "What was stored stays", also where the bound is set below what
// there is.
func TestFull(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	for name, replicas := range map[string]int{"one server": 1, "three": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var urls []string
			if replicas == 1 {
				urls = []string{embedded(t, "").URL()}
			} else {
				cluster, err := natstest.StartCluster(t.TempDir(), [6]int(testkit.FreePorts(t, 6)), "")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { cluster.Close() })
				urls = cluster.URLs()
			}
			var log safeBuffer
			publisher := open(t, natscarrier.Config{Servers: urls, Name: "central", Replicas: replicas, MaxBytes: most})
			writer := open(t, natscarrier.Config{Servers: urls, Name: "match", Log: log.logger()})
			store(t, publisher, revocation.StateKey{Publisher: central, First: 1}, []byte("alice is banned"))
			var err error
			n := 0
			for ; err == nil && n < 100; n++ {
				err = writer.Store(within(t, patience), revocation.StateKey{Publisher: match, First: uint64(n)}, make([]byte, 100<<10))
			}
			if !errors.Is(err, natscarrier.ErrFull) || n < 8 {
				t.Fatalf("after %d segments of 100 KiB: %v", n, err)
			}
			for range 3 {
				if err := writer.Store(within(t, patience), revocation.StateKey{Publisher: match, First: 1000}, make([]byte, 100<<10)); !errors.Is(err, natscarrier.ErrFull) {
					t.Errorf("a segment has room after all: %v", err)
				}
			}
			if now, bound := streamBytes(t, urls[0]); now > most || bound != most {
				t.Errorf("the stream has %d bytes, and may have %d", now, bound)
			}
			if lines := strings.Count(log.String(), "the stream is full"); lines != 1 {
				t.Errorf("%d lines say that the stream is full:\n%s", lines, log.String())
			}
			if got, err := load(t, publisher, central, 0); err != nil || got != "1:alice is banned" {
				t.Errorf("%q, %v", got, err)
			}
			got := listen(t, writer, revocation.TopicLive)
			eventually(t, "a live message", func() bool {
				publisher.Publish(t.Context(), revocation.TopicLive, []byte("bob")) //nolint:errcheck // not connected yet
				return len(got) > 0
			})
			// A larger bound makes room, and a smaller one removes nothing.
			open(t, natscarrier.Config{Servers: urls, Name: "larger", Replicas: replicas, MaxBytes: 4 * most})
			store(t, writer, revocation.StateKey{Publisher: match, First: 1000}, make([]byte, 200<<10))
			if !strings.Contains(log.String(), "stores again") {
				t.Errorf("no line says that there is room again:\n%s", log.String())
			}
			open(t, natscarrier.Config{Servers: urls, Name: "smaller", Replicas: replicas, MaxBytes: most})
			eventually(t, "the smaller bound", func() bool { _, bound := streamBytes(t, urls[0]); return bound == most })
			if now, _ := streamBytes(t, urls[0]); now <= most {
				t.Errorf("the stream was cut to %d bytes", now)
			}
			if got, err := load(t, publisher, central, 0); err != nil || got != "1:alice is banned" {
				t.Errorf("%q, %v", got, err)
			}
			stored := 0
			if err := writer.Load(within(t, patience), match, 0, func(revocation.StateKey, []byte) error { stored++; return nil }); err != nil || stored != n {
				t.Errorf("%d segments are there, want %d: %v", stored, n, err)
			}
		})
	}
}

// A bound that holds nothing is none.
func TestMaxBytes(t *testing.T) {
	t.Parallel()
	for bytes, ok := range map[int64]bool{0: true, 1 << 20: true, 1<<20 - 1: false, -1: false} {
		_, err := natscarrier.Config{Servers: []string{"nats://x"}, Name: "a", MaxBytes: bytes}.WithDefaults()
		if (err == nil) != ok || err != nil && !strings.Contains(fmt.Sprint(err), "MaxBytes") {
			t.Errorf("%d bytes: %v", bytes, err)
		}
	}
}
