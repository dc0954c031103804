package reach

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/lateness"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// variable is set in the environment of a child that is a match server.
const variable = "SALLYPORT_REACH_CHILD"

// IsChild reports whether this process is to be a Child: a match server or a NATS server.
func IsChild() bool { return natstest.IsChild() || os.Getenv(variable) != "" }

// Child runs what this process is to be until standard input ends, and returns its exit status.
func Child() int {
	if natstest.IsChild() {
		return natstest.Child()
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	if err := serve(); err != nil {
		json.NewEncoder(os.Stdout).Encode(Answer{Error: err.Error()}) //nolint:errcheck // the exit status says it too
		return 1
	}
	return 0
}

// order is the first line that a child reads.
type order struct {
	Name    string               `json:"name"`
	Folder  string               `json:"folder"`  // of the certificate and the issuer
	Dir     string               `json:"dir"`     // the publisher's
	Key     []byte               `json:"key"`     // the publisher's, PEM
	Servers []string             `json:"servers"` // NATS
	Trusted []revocation.Trusted `json:"trusted"`
	Stale   time.Duration        `json:"stale"`
	Mode    revocation.Mode      `json:"mode"`
	Most    int                  `json:"most"` // revocations and bans
}

// Answer is a child's answer to a line: to the order Addr, to "seen" and a subject Seen, to "late"
// and two moments Late, to "status" the rest.
type Answer struct {
	Addr    string            `json:"addr,omitempty"`
	Error   string            `json:"error,omitempty"`
	Seen    int64             `json:"seen,omitempty"`  // when the last datagram of the player was delivered, Unix nanoseconds
	Ready   time.Duration     `json:"ready,omitempty"` // from the start until everything was in force, 0 before
	Status  revocation.Status `json:"status,omitzero"`
	NATS    natscarrier.Stats `json:"nats,omitzero"`
	Players int               `json:"players,omitempty"`
	Late    time.Duration     `json:"late,omitempty"` // its lateness between the moments
}

// child is a match server.
type child struct {
	carrier *natscarrier.Carrier
	feed    *revocation.Feed
	server  *transport.Server
	seen    sync.Map     // subject to *atomic.Int64
	ready   atomic.Int64 // nanoseconds
	late    *lateness.Watch
}

// serve obeys the lines on standard input.
func serve() error {
	began, late := time.Now(), &lateness.Watch{Least: usual}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go late.Run(ctx)
	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	lines.Buffer(nil, maxLine)
	var o order
	if !lines.Scan() {
		return errors.New("no order")
	}
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return err
	}
	c, err := newChild(o)
	if err != nil {
		return err
	}
	c.late = late
	var wg sync.WaitGroup
	wg.Go(func() { c.feed.Run(ctx, c.server) }) //nolint:errcheck // ends with ctx
	wg.Go(func() {
		if c.feed.WaitWhole(ctx) == nil {
			c.ready.Store(int64(time.Since(began)))
		}
	})
	wg.Go(func() { c.server.Serve(c.handler()) }) //nolint:errcheck // ends with Close
	err = answers.Encode(Answer{Addr: c.server.Addr().String()})
	for err == nil && lines.Scan() {
		err = answers.Encode(c.answer(lines.Text()))
	}
	cancel()
	c.server.Close() //nolint:errcheck // the process ends
	wg.Wait()
	c.carrier.Close()
	return err
}

func newChild(o order) (*child, error) {
	dev, err := gameserver.LoadDev(o.Folder)
	if err != nil {
		return nil, err
	}
	verifier, err := dev.Verifier()
	if err != nil {
		return nil, err
	}
	keys, err := gameserver.ReadFleetKeys(fleetKeys(o.Folder))
	if err != nil {
		return nil, err
	}
	ring, err := fleetkey.NewRing(keys...)
	if err != nil {
		return nil, err
	}
	key, err := revocation.ParseSigningKey(o.Key)
	if err != nil {
		return nil, err
	}
	c := &child{}
	if c.carrier, err = natscarrier.Open(natscarrier.Config{Servers: o.Servers, Name: o.Name}); err != nil {
		return nil, err
	}
	c.feed, err = revocation.NewFeed(revocation.FeedConfig{
		Carrier: c.carrier, Trusted: o.Trusted, Key: key, Dir: o.Dir, Name: o.Name, Stale: o.Stale, Mode: o.Mode,
	})
	if err != nil {
		return nil, err
	}
	c.server, err = transport.Listen("127.0.0.1:0", c.feed.Transport(transport.Config{
		Certificate: dev.Certificate, Verifier: verifier, Shards: 1,
		Sources:     policy.SourceConfig{PerSecond: handshakes, Burst: handshakes},
		MaxUnproven: handshakes,
		Session: session.Config{
			FleetKeys: ring, MaxSessions: maxSessions, MaxPerSubject: -1, MaxRevocations: o.Most, MaxBans: o.Most,
		},
	}))
	return c, err
}

func (c *child) handler() transport.Handler {
	return transport.Handler{
		Receive: func(p *transport.Player, _ []byte) {
			subject := p.Session().Subject()
			last, ok := c.seen.Load(subject)
			if !ok {
				last, _ = c.seen.LoadOrStore(subject, &atomic.Int64{})
			}
			last.(*atomic.Int64).Store(time.Now().UnixNano())
		},
	}
}

// answer answers one line: "status", "seen" and a subject, or "late" and two moments in Unix nanoseconds.
func (c *child) answer(line string) Answer {
	if subject, ok := strings.CutPrefix(line, "seen "); ok {
		if last, ok := c.seen.Load(subject); ok {
			return Answer{Seen: last.(*atomic.Int64).Load()}
		}
		return Answer{}
	}
	var from, to int64
	if n, _ := fmt.Sscanf(line, "late %d %d", &from, &to); n == 2 {
		return Answer{Late: c.late.Within(time.Unix(0, from), time.Unix(0, to))}
	}
	return Answer{
		Ready: time.Duration(c.ready.Load()), Status: c.feed.Status(), NATS: c.carrier.Stats(),
		Players: c.server.Stats().Sessions,
	}
}
