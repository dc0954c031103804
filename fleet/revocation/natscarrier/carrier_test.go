package natscarrier_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/internal/testkit"
)

func TestMain(m *testing.M) {
	if natstest.IsChild() {
		os.Exit(natstest.Child())
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what takes milliseconds.
const patience = 20 * time.Second

// embedded starts a server in this process.
func embedded(t testing.TB, extra string) *natstest.Embedded {
	t.Helper()
	s, err := natstest.StartEmbedded(natstest.Config{Dir: t.TempDir(), Name: "one", Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func open(t testing.TB, config natscarrier.Config) *natscarrier.Carrier {
	t.Helper()
	c, err := natscarrier.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within bounds one call.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until f reports true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// listen returns what comes on a topic.
func listen(t testing.TB, c *natscarrier.Carrier, topic revocation.Topic) chan string {
	t.Helper()
	got := make(chan string, 1000)
	stop, err := c.Subscribe(topic, func(m []byte) { got <- string(m) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return got
}

// load returns the first numbers of what is stored, with the messages.
func load(t testing.TB, c *natscarrier.Carrier, p revocation.PublisherID, from uint64) (all string, err error) {
	t.Helper()
	err = c.Load(within(t, patience), p, from, func(k revocation.StateKey, m []byte) error {
		if k.Publisher != p {
			t.Errorf("of %v", k.Publisher)
		}
		all += fmt.Sprintf("%d:%s ", k.First, m)
		return nil
	})
	return strings.TrimSpace(all), err
}

var (
	central = revocation.PublisherID{1}
	match   = revocation.PublisherID{2}
)

// "Subscribe calls receive for each message of the topic, including the process's own"; a topic has
// nothing of the other.
func TestTopics(t *testing.T) {
	t.Parallel()
	s := embedded(t, "")
	a, b := open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "a"}), open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "b"})
	for _, topic := range []revocation.Topic{revocation.TopicLive, revocation.TopicAsk} {
		here, there := listen(t, a, topic), listen(t, b, topic)
		want := topic.String()
		// A subscription is known to the server once one of its messages has come.
		eventually(t, "messages", func() bool {
			if err := a.Publish(t.Context(), topic, []byte(want)); err != nil {
				t.Log(err)
			}
			return len(here) > 0 && len(there) > 0
		})
		if g, h := <-here, <-there; g != want || h != want {
			t.Errorf("%q and %q, want %q", g, h, want)
		}
	}
}

// "Load calls each for the stored segments of a publisher in ascending order of First: at least those
// with First at or above from, and the last one below."
func TestState(t *testing.T) {
	t.Parallel()
	s := embedded(t, "")
	c := open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "central", Replicas: 1})
	if got, err := load(t, c, central, 0); err == nil || got != "" {
		t.Errorf("%q, %v before there is a stream", got, err)
	}
	for _, first := range []uint64{2049, 1, 1025} {
		if err := c.Store(within(t, patience), revocation.StateKey{Publisher: central, First: first}, fmt.Append(nil, "s", first)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Store(within(t, patience), revocation.StateKey{Publisher: match, First: 7}, []byte("other")); err != nil {
		t.Fatal(err)
	}
	const second, third = "1025:s1025", "2049:s2049"
	for from, want := range map[uint64]string{
		0: "1:s1 " + second + " " + third, 1: "1:s1 " + second + " " + third, 1024: "1:s1 " + second + " " + third,
		1025: second + " " + third, 1026: second + " " + third, 2049: third, 1 << 40: third,
	} {
		if got, err := load(t, c, central, from); err != nil || got != want {
			t.Errorf("from %d: %q, %v, want %q", from, got, err, want)
		}
	}
	if err := c.Store(within(t, patience), revocation.StateKey{Publisher: central, First: 1}, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(within(t, patience), revocation.StateKey{Publisher: central, First: 1025}); err != nil {
		t.Fatal(err)
	}
	if got, err := load(t, c, central, 0); err != nil || got != "1:new "+third {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := load(t, c, match, 0); err != nil || got != "7:other" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := load(t, c, revocation.PublisherID{3}, 0); err != nil || got != "" {
		t.Errorf("%q, %v of an unknown publisher", got, err)
	}
	stop := errors.New("stop")
	if err := c.Load(within(t, patience), central, 0, func(revocation.StateKey, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
}

// store tries again until there is a leader.
func store(t testing.TB, c *natscarrier.Carrier, k revocation.StateKey, m []byte) {
	t.Helper()
	eventually(t, "stored", func() bool { return c.Store(t.Context(), k, m) == nil })
}

// "Servers that are not there yet are no error": what is subscribed before works once they are.
func TestBrokerAbsentAtStart(t *testing.T) {
	t.Parallel()
	config := natstest.Config{Dir: t.TempDir(), Name: "one", Port: testkit.FreePorts(t, 1)[0]}
	c := open(t, natscarrier.Config{Servers: []string{fmt.Sprint("nats://127.0.0.1:", config.Port)}, Name: "a", Replicas: 1})
	got := listen(t, c, revocation.TopicLive)
	if err := c.Publish(t.Context(), revocation.TopicLive, []byte("lost")); err == nil {
		t.Error("published to nobody")
	}
	if err := c.Store(within(t, 10*time.Millisecond), revocation.StateKey{Publisher: central, First: 1}, nil); err == nil {
		t.Error("stored nowhere")
	}
	if _, err := load(t, c, central, 0); err == nil {
		t.Error("loaded from nowhere")
	}
	if s := c.Stats(); s.Connected {
		t.Errorf("%+v", s)
	}
	s, err := natstest.StartEmbedded(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	eventually(t, "a message", func() bool {
		c.Publish(t.Context(), revocation.TopicLive, []byte("found")) //nolint:errcheck // not connected yet
		return len(got) > 0
	})
	if m := <-got; m != "found" {
		t.Errorf("%q was sent late", m)
	}
	if s := c.Stats(); !s.Connected || s.Reconnects != 0 || s.Received == 0 || s.Sent == 0 {
		t.Errorf("%+v", s)
	}
}

// "A connection on which nothing comes is given up after 3 s", and one that was cut works again
// within a second of the line.
func TestPartition(t *testing.T) {
	t.Parallel()
	s := embedded(t, "")
	line, err := natstest.NewLine(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(line.Close)
	a, b := open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "a"}), open(t, natscarrier.Config{Servers: line.URLs(), Name: "b"})
	got := listen(t, b, revocation.TopicLive)
	heard := func() bool {
		a.Publish(t.Context(), revocation.TopicLive, []byte("x")) //nolint:errcheck // not connected yet
		return len(got) > 0
	}
	eventually(t, "a message", heard)
	line.Cut()
	began := time.Now()
	eventually(t, "the connection is given up", func() bool { return !b.Stats().Connected })
	t.Logf("given up after %v", time.Since(began))
	for len(got) > 0 {
		<-got
	}
	line.Mend()
	began = time.Now()
	eventually(t, "a message", heard)
	t.Logf("whole again after %v", time.Since(began))
	if n := b.Stats().Reconnects; n != 1 {
		t.Errorf("%d reconnects", n)
	}
}

// certificate-less permissions: users by password, as the test needs no TLS for them.
func users(t testing.TB, blocks map[string]string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("authorization {\n  users: [\n")
	for user, permissions := range blocks {
		fmt.Fprintf(&b, "    {user: %q, password: \"x\", permissions: %s}\n", user, permissions)
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}

// "To publish under its own name and as its own publisher, to hear everybody, and to read the stored
// state. Only a central publisher may make the stream."
func TestPermissions(t *testing.T) {
	t.Parallel()
	make := func(name string, replicas int) natscarrier.Config {
		return natscarrier.Config{Servers: []string{"x"}, Name: name, Replicas: replicas}
	}
	blocks := map[string]string{}
	for name, config := range map[string]natscarrier.Config{"central": make("central", 1), "match-1": make("match-1", 0)} {
		id := central
		if name != "central" {
			id = match
		}
		p, err := config.Permissions(id)
		if err != nil {
			t.Fatal(err)
		}
		blocks[name] = p
	}
	s := embedded(t, users(t, blocks))
	as := func(user, name string, replicas int) *natscarrier.Carrier {
		config := make(name, replicas)
		config.Servers = []string{strings.Replace(s.URL(), "nats://", "nats://"+user+":x@", 1)}
		return open(t, config)
	}
	server := as("match-1", "match-1", 0)
	if err := server.Store(within(t, 500*time.Millisecond), revocation.StateKey{Publisher: match, First: 1}, []byte("m")); err == nil {
		t.Error("stored before the central publisher has made the stream")
	}
	publisher := as("central", "central", 1)
	live, ask := listen(t, server, revocation.TopicLive), listen(t, publisher, revocation.TopicAsk)
	eventually(t, "messages both ways", func() bool {
		publisher.Publish(t.Context(), revocation.TopicLive, []byte("x")) //nolint:errcheck // not connected yet
		server.Publish(t.Context(), revocation.TopicAsk, []byte("x"))     //nolint:errcheck // not connected yet
		return len(live) > 0 && len(ask) > 0
	})
	first := revocation.StateKey{Publisher: central, First: 1}
	if err := publisher.Store(within(t, patience), first, []byte("c")); err != nil {
		t.Fatal(err)
	}
	if err := server.Store(within(t, patience), revocation.StateKey{Publisher: match, First: 1}, []byte("m")); err != nil {
		t.Error(err)
	}
	if got, err := load(t, server, central, 0); err != nil || got != "1:c" {
		t.Errorf("%q, %v", got, err)
	}
	if err := server.Store(within(t, 500*time.Millisecond), first, []byte("forged")); err == nil {
		t.Error("a match server has stored as another publisher")
	}
	if err := server.Delete(within(t, 500*time.Millisecond), first); err == nil {
		t.Error("a match server has removed another publisher's segment")
	}
	if got, err := load(t, publisher, central, 0); err != nil || got != "1:c" {
		t.Errorf("%q, %v", got, err)
	}
	for len(live) > 0 {
		<-live
	}
	stranger := as("match-1", "match-2", 0) // another name than its user's
	eventually(t, "a connection", func() bool { return stranger.Stats().Connected })
	stranger.Publish(t.Context(), revocation.TopicLive, []byte("forged")) //nolint:errcheck // refused by the server
	publisher.Publish(t.Context(), revocation.TopicLive, []byte("after")) //nolint:errcheck // connected
	if m := <-live; m == "forged" {
		t.Error("a match server has published under another name")
	}
}

// "What exceeds it is lost and counted": a subscriber that does not keep up costs the carrier no more
// than its queue.
func TestSlowConsumer(t *testing.T) {
	t.Parallel()
	var log safeBuffer
	s := embedded(t, "")
	a := open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "a"})
	b := open(t, natscarrier.Config{Servers: []string{s.URL()}, Name: "b", Queue: 8, Log: log.logger()})
	release, got := make(chan bool), make(chan bool, 1000)
	stop, err := b.Subscribe(revocation.TopicLive, func([]byte) { got <- true; <-release })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	eventually(t, "a message", func() bool {
		a.Publish(t.Context(), revocation.TopicLive, []byte("x")) //nolint:errcheck // not connected yet
		return len(got) > 0
	})
	for range 100 {
		if err := a.Publish(t.Context(), revocation.TopicLive, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a line in the log", func() bool { return strings.Contains(log.String(), "queue is full") })
	close(release)
	eventually(t, "new messages", func() bool {
		n := len(got)
		a.Publish(t.Context(), revocation.TopicLive, []byte("x")) //nolint:errcheck // connected
		time.Sleep(time.Millisecond)
		return len(got) > n
	})
}

// leader returns which server of a cluster leads the stream, as soon as another one does than the former; -1
// stands for none.
func leader(t testing.TB, urls []string, former int) (n int) {
	t.Helper()
	conn, err := nats.Connect(strings.Join(urls, ","), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a leader", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s, err := js.Stream(ctx, "SALLYPORT")
		if err != nil {
			return false
		}
		number, err := strconv.Atoi(strings.TrimPrefix(s.CachedInfo().Cluster.Leader, "nats-"))
		n = number - 1
		return err == nil && n != former
	})
	return n
}

// 100,000 records of 100 bytes are read within 2 s, from a cluster whose leader is gone, too: "Load
// needs no leader. Store needs JetStream's leader, which is replaced within some ten seconds."
func TestLeaderGone(t *testing.T) {
	t.Parallel()
	cluster, err := natstest.StartCluster(t.TempDir(), [6]int(testkit.FreePorts(t, 6)), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	c := open(t, natscarrier.Config{Servers: cluster.URLs(), Name: "central", Replicas: 3})
	segment := bytes.Repeat([]byte("x"), revocation.MaxRecords*100)
	began := time.Now()
	for i := range uint64(98) {
		k := revocation.StateKey{Publisher: central, First: 1 + i*revocation.MaxRecords}
		store(t, c, k, segment)
	}
	t.Logf("98 segments stored after %v, three replicas synced to the disk", time.Since(began))
	reader := open(t, natscarrier.Config{Servers: cluster.URLs(), Name: "match-1"})
	read := func(when string) {
		t.Helper()
		eventually(t, "a connection", func() bool { return reader.Stats().Connected })
		const limit = 2 * time.Second
		best := time.Hour
		for tries := 0; tries < 5 && best > limit; tries++ { // others use the machine, too
			// A follower begins to answer some seconds after the stream was made; a reader tries again.
			eventually(t, "98 segments "+when, func() bool {
				began, count := time.Now(), 0
				err := reader.Load(within(t, patience), central, 0, func(revocation.StateKey, []byte) error { count++; return nil })
				took := time.Since(began)
				if err != nil {
					return false
				}
				if best = min(best, took); count != 98 {
					t.Errorf("%s: %d segments", when, count)
				}
				return true
			})
		}
		t.Logf("%s: 98 segments loaded after %v", when, best)
		if best > limit {
			t.Errorf("%s: loaded after %v", when, best)
		}
	}
	read("with a leader")
	former := leader(t, cluster.URLs(), -1)
	if err := cluster.Kill(former); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	read("without a leader")
	leader(t, cluster.URLs(), former) // NATS draws when the others begin to elect
	elected := time.Now()
	store(t, c, revocation.StateKey{Publisher: central, First: 1}, segment)
	took := time.Since(elected)
	t.Logf("stored %v after the leader was killed, %v after there was another one", time.Since(killed), took)
	if took > 3*time.Second {
		t.Errorf("stored %v after there was a leader, want what a Store may take and a second", took)
	}
}

// Every error about a configuration names the field and matches ErrConfig.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	good := natscarrier.Config{Servers: []string{"nats://127.0.0.1:1"}, Name: "a"}
	for field, change := range map[string]func(*natscarrier.Config){
		"Servers":  func(c *natscarrier.Config) { c.Servers = nil },
		"Servers,": func(c *natscarrier.Config) { c.Servers = []string{"://"} },
		"Name":     func(c *natscarrier.Config) { c.Name = "a.b" },
		"Name:":    func(c *natscarrier.Config) { c.Name = "" },
		"Prefix":   func(c *natscarrier.Config) { c.Prefix = "a>" },
		"Stream":   func(c *natscarrier.Config) { c.Stream = strings.Repeat("x", 65) },
		"Replicas": func(c *natscarrier.Config) { c.Replicas = 6 },
		"Keep":     func(c *natscarrier.Config) { c.Keep = -1 },
		"Queue":    func(c *natscarrier.Config) { c.Queue = -1 },
	} {
		bad := good
		change(&bad)
		c, err := natscarrier.Open(bad)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, natscarrier.ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := (natscarrier.Config{}).Permissions(); !errors.Is(err, natscarrier.ErrConfig) {
		t.Errorf("%v", err)
	}
}
