package nakama

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Op codes of the arena, and the RPCs that lead to it.
const (
	opMove     = 1
	opWorld    = 2
	findRPC    = "arena_find"
	connectRPC = "sallyport_connect"
)

// Config says where to play, as whom and how long. All fields are required.
type Config struct {
	URL       string                                    // of Nakama's API, "http://127.0.0.1:7350"
	ServerKey string                                    // socket.server_key of the server
	Identity  func(ctx context.Context) ([]byte, error) // returns an identity token
	Rate      int                                       // steps a second
	Duration  time.Duration
}

// Report is what a player has seen.
type Report struct {
	User     string   `json:"user"`     // Nakama's id
	Match    string   `json:"match"`    // match id
	Server   string   `json:"server"`   // where the datagrams went
	Sent     int      `json:"sent"`     // steps
	Received int      `json:"received"` // worlds
	Players  int      `json:"players"`  // in the last world
	X        int      `json:"x"`        // of this player in the last world: steps that have arrived
	RTTms    float64  `json:"rtt_ms"`
	Verdict  string   `json:"verdict"`
	Failures []string `json:"failures"`
}

// OK reports whether the match saw the player move.
func (r *Report) OK() bool { return len(r.Failures) == 0 }

// WriteTable writes the report for a person.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "user\t%s\nmatch\t%s\nserver\t%s\n", r.User, r.Match, r.Server)
	fmt.Fprintf(t, "steps\t%d sent, %d arrived\nworlds\t%d received, the last with %d players\n", r.Sent, r.X, r.Received, r.Players)
	fmt.Fprintf(t, "round trip\t%.1f ms\nverdict\t%s\n", r.RTTms, r.Verdict)
	for _, f := range r.Failures {
		fmt.Fprintf(t, "\t%s\n", f)
	}
	return t.Flush()
}

// invitation is the answer of connectRPC.
type invitation struct {
	Address string `json:"address"`
	Pin     string `json:"pin"`
	Token   string `json:"token"`
}

// Play signs in and plays until the time is over or ctx is done. The error says which step before
// the match failed.
func Play(ctx context.Context, config Config) (*Report, error) {
	p := &player{config: config, api: api{url: config.URL, key: config.ServerKey}}
	c, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // the server may have ended the session
	p.run(ctx, c)
	p.judge()
	return &p.report, nil
}

// player is one run of Play.
type player struct {
	config Config
	api    api
	report Report
}

// connect does what comes before the match.
func (p *player) connect(ctx context.Context) (*transport.Client, error) {
	identity, err := p.config.Identity(ctx)
	if err != nil {
		return nil, err
	}
	r := &p.report
	if r.User, err = p.api.signIn(ctx, identity); err != nil {
		return nil, err
	}
	if r.Match, err = p.api.rpc(ctx, findRPC, nil); err != nil {
		return nil, err
	}
	first, err := p.invite(ctx)
	if err != nil {
		return nil, err
	}
	pin, err := hex.DecodeString(first.Pin)
	if err != nil || len(pin) != 32 {
		return nil, fmt.Errorf("RPC %s: the pin is not a SHA-256", connectRPC)
	}
	r.Server = first.Address
	return transport.Dial(ctx, first.Address, transport.ClientConfig{
		Token: p.tokens(first), Pin: (*[32]byte)(pin), Session: session.ClientConfig{Lanes: true},
	})
}

func (p *player) invite(ctx context.Context) (i *invitation, err error) {
	answer, err := p.api.rpc(ctx, connectRPC, map[string]string{"match_id": p.report.Match})
	if err != nil {
		return nil, err
	}
	return i, json.Unmarshal([]byte(answer), &i)
}

// tokens returns the token of the first invitation, and that of a new one to renew.
func (p *player) tokens(next *invitation) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) (_ []byte, err error) {
		i := next
		if next = nil; i == nil {
			if i, err = p.invite(ctx); err != nil {
				return nil, err
			}
		}
		return []byte(i.Token), nil
	}
}

// run walks east and reads the world.
func (p *player) run(ctx context.Context, c *transport.Client) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Duration)
	defer cancel()
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		p.walk(ctx, c)
	}()
	p.watch(ctx, c)
	cancel()
	<-walked
	p.report.RTTms = float64(c.Stats().RTT) / float64(time.Millisecond)
}

func (p *player) walk(ctx context.Context, c *transport.Client) {
	step := append(binary.AppendUvarint(nil, opMove), 1, 0)
	ticker := time.NewTicker(time.Second / time.Duration(p.config.Rate))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if c.Send(step) == nil {
				p.report.Sent++
			}
		}
	}
}

// watch reads worlds until ctx is done, which ends the session, or the session ends.
func (p *player) watch(ctx context.Context, c *transport.Client) {
	stop := context.AfterFunc(ctx, func() { c.Close() }) //nolint:errcheck // it may have ended before
	defer stop()
	err := c.Serve(transport.ClientHandler{Receive: p.take, Message: func(_ int, _ uint64, b []byte) { p.take(b) }})
	if ctx.Err() == nil {
		p.fail("the session ended: %v", err)
	}
}

// take reads one broadcast, which looks the same as a payload and as a message on a lane.
func (p *player) take(b []byte) {
	if op, at := binary.Uvarint(b); at > 0 && op == opWorld {
		p.look(b[at:])
	}
}

// look reads one world.
func (p *player) look(world []byte) {
	var all []struct {
		User string `json:"user"`
		X    int    `json:"x"`
	}
	if err := json.Unmarshal(world, &all); err != nil {
		p.fail("the world is no JSON: %v", err)
		return
	}
	p.report.Received++
	p.report.Players = len(all)
	for _, one := range all {
		if one.User == p.report.User {
			p.report.X = one.X
		}
	}
}

// judge sets the verdict.
func (p *player) judge() {
	r := &p.report
	switch {
	case r.Received == 0:
		p.fail("no world came")
	case r.X == 0:
		p.fail("the match has seen none of the steps")
	}
	if r.Verdict = "ok"; !r.OK() {
		r.Verdict = "failed"
	}
}

func (p *player) fail(format string, v ...any) {
	p.report.Failures = append(p.report.Failures, fmt.Sprintf(format, v...))
}
