package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/transport"
)

const drainHelp = `Drain has servers admit nobody new, and shuts each down once nobody plays on it, or when the time is up.

  sallyport drain -server match-1:7781 -within 10m       until the last player has left, 10 minutes at most
  sallyport drain -server match-1:7781 -within 1m -to match-2.example.com:7777
                                                         players resume on another server, and play on till then
  sallyport drain -server match-1:7781                   at once: players go on elsewhere by ticket
  sallyport drain -server match-1:7781 -look             only says how far a drain is

It follows the drain until every server is closed. Interrupted, the drain goes on; called again, the deadline
is the later call's. A drain cannot be taken back.
  serving   nobody has asked for a drain          closing  the server shuts down
  draining  newcomers are refused, players play   closed   it has
  failed    it has not shut down in time, or could not write its snapshot: its log says more
A server whose program ends before it has said "closed" is taken for closed if it was closing, or nobody
played on it, or no -within is given, though another program serves there at once. One that then answers
with an error, or not at all, is a failure.
`

// drainFlags is the command line of "drain".
type drainFlags struct {
	servers
	within time.Duration
	to     string
	look   bool

	mu sync.Mutex // held while a line is printed
}

// drain is "drain".
func drain(ctx context.Context, c console, args []string) int {
	var f drainFlags
	set := flag.NewFlagSet("sallyport drain", flag.ContinueOnError)
	set.DurationVar(&f.within, "within", 0, "how long players may play on, 24h at most")
	set.StringVar(&f.to, "to", "", "`host:port` of another server of the fleet, where the players resume")
	set.BoolVar(&f.look, "look", false, "change nothing")
	if status, ok := f.parse(c, set, drainHelp, args, func() error {
		switch {
		case f.within < 0 || f.within > 24*time.Hour:
			return errors.New("-within is from 0s to 24h")
		case f.look && (f.within != 0 || f.to != ""):
			return errors.New("-within and -to change the drain: leave them out, or -look")
		case f.to != "":
			return transport.CheckDestination(f.to)
		}
		return nil
	}); !ok {
		return status
	}
	if f.look {
		return ask(ctx, &f.servers, "STATE\tPLAYERS\tDEADLINE", drainRows, func(ctx context.Context, client *admin.Client) (admin.DrainStatus, error) {
			return client.Drained(ctx, "", 0)
		})
	}
	if !f.connect(ctx) {
		return exitUsage
	}
	defer f.close()
	answers := make([]answer[admin.DrainStatus], len(f.clients))
	var wg sync.WaitGroup
	for i, client := range f.clients {
		wg.Go(func() {
			s, err := f.follow(ctx, client)
			answers[i] = answer[admin.DrainStatus]{client.Address, s, err}
		})
	}
	wg.Wait()
	return showAnswers(ctx, &f.servers, "STATE\tPLAYERS\tDEADLINE", drainRows, answers)
}

// errNotShutDown is why a drain has failed.
var errNotShutDown = errors.New("it has not shut down as it should: its log says why; then end its process")

// errRestarted is why a drain has failed, too.
var errRestarted = errors.New("its program has ended before it was closed, and another one serves there, which does not drain")

// follow drains a server, and returns once it is closed.
func (f *drainFlags) follow(ctx context.Context, client *admin.Client) (s admin.DrainStatus, err error) {
	first, cancel := context.WithTimeout(ctx, f.timeout)
	s, err = client.Drain(first, f.within, f.to)
	cancel()
	for err == nil && s.State != admin.Closed && s.State != admin.Failed {
		f.progress(client.Address, s)
		was := s
		// The next answer is on its way while the server changes, so that its program may end behind it.
		next, cancel := context.WithTimeout(ctx, f.timeout+5*time.Second)
		s, err = client.Drained(next, was.State, 5*time.Second)
		cancel()
		restarted := s.State == admin.Serving // a drain cannot be taken back
		closing := was.State == admin.Closing || was.Sessions == 0 || f.within == 0
		switch {
		case closing && ctx.Err() == nil && (restarted || saysEnded(err)):
			was.State, was.Sessions = admin.Closed, 0
			return was, nil
		case restarted:
			return s, errRestarted
		}
	}
	if err == nil && s.State == admin.Failed {
		return s, errNotShutDown
	}
	return s, err
}

// saysEnded reports whether err is that of a server whose program has ended: its connection has broken off, or its port
// is closed. One that answers lives, and one that is silent, or with which there is no common TLS, may.
func saysEnded(err error) bool {
	return slices.ContainsFunc(ended, func(cause error) bool { return errors.Is(err, cause) })
}

// ended has the causes of saysEnded. Windows has numbers of its own for the last two.
var ended = []error{
	io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.Errno(10054), syscall.Errno(10061),
}

// progress tells a person who waits how far a server is.
func (f *drainFlags) progress(server string, s admin.DrainStatus) {
	if f.json {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.console.stderr, "%s: %s, players %d\n", server, s.State, s.Sessions)
}

func drainRows(s admin.DrainStatus) []string {
	deadline := "-"
	if !s.Deadline.IsZero() {
		deadline = s.Deadline.Format(time.RFC3339)
	}
	return []string{row(s.State, s.Sessions, deadline)}
}
