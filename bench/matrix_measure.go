//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/bench/link"
	"github.com/sallyport/sallyport/netsim"
)

// The roles of a trial's two processes, beside server and client.
const (
	rolePair  = "pair"  // both ends of a contender, one after the other on the same processor
	roleRelay = "relay" // the link between them
)

// relayJob is what a relay is told.
type relayJob struct {
	Server string
	Link   netsim.Impairment
	Seed   uint64
}

// relayReport is what a relay answers.
type relayReport link.Stats

// matrix makes the trials of all rounds. Two run at a time, one on each
// processor with its relay; results come in any order.
func (p *plan) matrix(list []trial, rounds int) []outcome {
	todo := make(chan trial)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []outcome
	done := 0
	for _, processor := range []int{p.server, p.client} {
		wg.Go(func() {
			for t := range todo {
				o, relay, err := p.try(&t, processor)
				mu.Lock()
				done++
				at := fmt.Sprintf("[%d/%d] round %d messages-%s/%s", done, rounds*len(list), t.Round+1, t.Name, t.Contender)
				if err != nil {
					fmt.Fprintln(os.Stderr, at, "failed:", err)
				} else {
					fmt.Fprintf(os.Stderr, "%s: %s; %s\n", at, o, relay)
					all = append(all, *o)
				}
				mu.Unlock()
			}
		})
	}
	for round := range rounds {
		for _, t := range list {
			t.Round = round
			todo <- t
		}
	}
	close(todo)
	wg.Wait()
	return all
}

// String is a line of progress.
func (o *outcome) String() string {
	q, l := quantiles(o.Quiet), quantiles(o.Loaded)
	return fmt.Sprintf("p50 %.1f p99 %.1f ms, with the bulk %.1f and %.1f ms, %.0f and %.0f KB/s, CPU %.0f µs a message and %.2f ms a MB, missing %d",
		q.p50, q.p99, l.p50, l.p99, o.Small/1e3, o.Large/1e3, o.CPU, o.BulkCPU, o.Missing)
}

// String tells how well the relay did.
func (r *relayReport) String() string {
	d := &r.Down
	return fmt.Sprintf("link %d down, %d full, %d lost; %d up; %.2f %% behind", d.Sent, d.TailDropped, d.Lost, r.Up.Sent, 100*r.Behind)
}

// try runs one trial on one processor.
func (p *plan) try(t *trial, processor int) (*outcome, *relayReport, error) {
	var e endpoint
	ends, err := start(rolePair, t, processor, &e)
	if err != nil {
		return nil, nil, err
	}
	defer ends.stop()
	var at endpoint
	relay, err := start(roleRelay, relayJob{e.Addr, t.Link, uint64(t.Round + 1)}, processor, &at)
	if err != nil {
		return nil, nil, err
	}
	defer relay.stop()
	o, r := new(outcome), new(relayReport)
	err = errors.Join(ends.ask(at.Addr, o), relay.ask("report", r))
	o.Behind = r.Behind
	return o, r, err
}

// playPair is the process of both ends: it says where the server is, reads where
// the link is, and answers with the outcome.
func playPair(arg string) error {
	t := new(trial)
	if err := json.Unmarshal([]byte(arg), t); err != nil {
		return err
	}
	c := contenderNamed(t.Contender)
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	through := func(server string) (string, error) {
		if err := out.Encode(endpoint{Addr: server}); err != nil {
			return "", err
		}
		line, err := in.ReadString('\n')
		return strings.TrimSpace(line), err
	}
	preempt(rolePair)
	w := newWork()
	pair, err := c.open(&stage{trial: t, through: through, deliver: w.deliver})
	if err != nil {
		return err
	}
	o, err := w.run(pair, t)
	if err != nil {
		return err
	}
	return out.Encode(o)
}

// playRelay is the process of the link: it says where it listens, and answers
// each line with a report.
func playRelay(arg string) error {
	j := new(relayJob)
	if err := json.Unmarshal([]byte(arg), j); err != nil {
		return err
	}
	server, err := netip.ParseAddrPort(j.Server)
	if err != nil {
		return err
	}
	preempt(roleRelay)
	r, err := link.Listen(server, j.Link, j.Seed)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(endpoint{Addr: r.Addr().String()}); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if err := out.Encode(r.Stats()); err != nil {
			return err
		}
	}
	return r.Close()
}

// preempt puts the relay before the contender on their processor, and both
// before what else the machine does, as far as the system allows it. The report
// says how punctual the relay was.
func preempt(role string) {
	tasks, _ := os.ReadDir("/proc/self/task") // none: then not
	for _, t := range tasks {
		id, err := strconv.Atoi(t.Name())
		switch {
		case err != nil:
		case role == roleRelay:
			_ = unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
		default:
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, -20)
		}
	}
}
