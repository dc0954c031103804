// Package added measures what a sidecar adds to the way of a datagram, and what it costs: players on the
// loopback interface send payloads and get them back, from a server that uses the library, and from one
// behind a sidecar.
//
//	players ─▶ library: echo in Serve                                    processor of this process
//	players ─▶ sidecar ─▶ game: echo                                     and of this one, without the game
//
// Each is a process of its own, so that its processor time is its own: Child.
package added

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/transport"
)

// Config is one measurement.
type Config struct {
	Players  int
	Rate     int // payloads a second and player
	Duration time.Duration
	Rounds   int // of each, in turns

	// Progress gets a line about each step before it begins; nil means none.
	Progress io.Writer
}

// say writes a line of progress.
func (c Config) say(format string, args ...any) {
	if c.Progress != nil {
		fmt.Fprintf(c.Progress, format+"\n", args...)
	}
}

// Result is what one way of serving costs: medians over rounds.
type Result struct {
	Name       string
	P50, P99   time.Duration // from sending to the player's handler
	Lost       float64       // share of payloads
	Processor  time.Duration // of the server, a payload there and back
	Rounds     int
	p50s, p99s []time.Duration
	lost       []float64
	processors []time.Duration
}

// Run measures. self is this program, which calls Child when its first argument is "child".
func Run(ctx context.Context, c Config, self string) (library, sidecar Result, err error) {
	library.Name, sidecar.Name = "library", "sidecar"
	for n := range c.Rounds {
		for _, r := range []*Result{&library, &sidecar} {
			c.say("round %d of %d, %s: %d players join, and play for %v", n+1, c.Rounds, r.Name, c.Players, c.Duration)
			if err := once(ctx, c, self, r); err != nil {
				return library, sidecar, fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	library.median()
	sidecar.median()
	return library, sidecar, nil
}

func (r *Result) median() {
	r.P50, r.P99, r.Lost, r.Processor = middle(r.p50s), middle(r.p99s), middle(r.lost), middle(r.processors)
	r.Rounds = len(r.p50s)
}

func middle[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// child is a server process.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	login string
}

func start(ctx context.Context, self, mode string) (*child, error) {
	cmd := exec.CommandContext(ctx, self, "child", mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &child{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	if !p.out.Scan() {
		return nil, errors.New("the server has not started")
	}
	p.login = p.out.Text()
	return p, nil
}

// processor asks the process how long it has kept processors busy.
func (p *child) processor() (time.Duration, error) {
	if _, err := io.WriteString(p.in, "?\n"); err != nil {
		return 0, err
	}
	if !p.out.Scan() {
		return 0, errors.New("the server has ended")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(p.out.Text()), 10, 64)
	return time.Duration(n), err
}

func (p *child) end() {
	p.in.Close() //nolint:errcheck // that ends it
	p.cmd.Wait() //nolint:errcheck // as it likes
}

// once is one round of one server.
func once(ctx context.Context, c Config, self string, r *Result) error {
	server, err := start(ctx, self, r.Name)
	if err != nil {
		return err
	}
	defer server.end()
	l := &load{config: c}
	clients, err := join(ctx, c.Players, server.login)
	defer func() {
		var over sync.WaitGroup
		for _, p := range clients {
			over.Go(func() { p.Close() }) //nolint:errcheck // the server ends
		}
		over.Wait()
	}()
	if err != nil {
		return err
	}
	before, err := server.processor()
	if err != nil {
		return err
	}
	took := l.play(clients)
	after, err := server.processor()
	if err != nil {
		return err
	}
	slices.Sort(took)
	if len(took) == 0 {
		return errors.New("nothing came back")
	}
	at := func(share float64) time.Duration { return took[int(share*float64(len(took)-1))] }
	r.p50s, r.p99s = append(r.p50s, at(0.5)), append(r.p99s, at(0.99))
	r.lost = append(r.lost, 1-float64(len(took))/float64(l.sent.Load()))
	r.processors = append(r.processors, (after-before)/time.Duration(len(took)))
	return nil
}

// join has players join, a few at a time.
func join(ctx context.Context, players int, login string) (clients []*transport.Client, err error) {
	var (
		mu   sync.Mutex
		all  sync.WaitGroup
		room = make(chan struct{}, 8)
	)
	for i := range players {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			address, config, e := dev.SignIn(ctx, login, fmt.Sprint("player-", i))
			var p *transport.Client
			if e == nil {
				p, e = transport.Dial(ctx, address, config)
			}
			mu.Lock()
			defer mu.Unlock()
			if e != nil {
				err = e
				return
			}
			clients = append(clients, p)
		})
	}
	all.Wait()
	return clients, err
}

// load is what players send, and what comes back.
type load struct {
	config Config
	sent   atomic.Int64

	mu sync.Mutex
	// +checklocks:mu
	took []time.Duration
}

// play has every player send at the rate, each at a time of its own in the tick, and returns how long
// payloads took.
func (l *load) play(clients []*transport.Client) []time.Duration {
	began := time.Now()
	var playing sync.WaitGroup
	for i, p := range clients {
		playing.Go(func() { l.player(p, began, i) })
	}
	playing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.took
}

// late is how long a player waits for what is still on its way.
const late = 500 * time.Millisecond

func (l *load) player(p *transport.Client, began time.Time, i int) {
	var (
		mu   sync.Mutex
		took = make([]time.Duration, 0, int(l.config.Duration.Seconds()+1)*l.config.Rate)
	)
	go p.Serve(transport.ClientHandler{Receive: func(b []byte) { //nolint:errcheck // ends with the client
		var at int64
		for i := range 8 {
			at = at<<8 | int64(b[i])
		}
		mu.Lock()
		defer mu.Unlock()
		took = append(took, time.Since(began)-time.Duration(at))
	}})
	every := time.Second / time.Duration(l.config.Rate)
	b := make([]byte, 64)
	for due := began.Add(every * time.Duration(i) / time.Duration(l.config.Players)); due.Sub(began) < l.config.Duration; due = due.Add(every) {
		time.Sleep(time.Until(due))
		at := int64(time.Since(began))
		for i := range 8 {
			b[i] = byte(at >> (56 - 8*i))
		}
		if p.Send(b) == nil {
			l.sent.Add(1)
		}
	}
	time.Sleep(late)
	mu.Lock()
	defer mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took...)
}

// Table writes both, and what the sidecar adds.
func Table(w io.Writer, c Config, library, sidecar Result) {
	fmt.Fprintf(w, "%d players at %d Hz, 64 bytes, %v, medians of %d rounds\n", c.Players, c.Rate, c.Duration, library.Rounds)
	for _, r := range []Result{library, sidecar} {
		fmt.Fprintf(w, "%-10s p50 %8.3f ms  p99 %8.3f ms  lost %6.3f %%  processor %6.2f µs a payload there and back\n",
			r.Name, ms(r.P50), ms(r.P99), 100*r.Lost, float64(r.Processor)/1e3)
	}
	fmt.Fprintf(w, "%-10s p50 %8.3f ms  p99 %8.3f ms                  processor %6.2f times\n",
		"added", ms(sidecar.P50-library.P50), ms(sidecar.P99-library.P99), float64(sidecar.Processor)/float64(max(library.Processor, 1)))
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
