//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

func main() {
	err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the command, or one of the processes that it starts.
func run() error {
	if play := role(); play != nil {
		return play(os.Args[2])
	}
	p := plan{}
	flag.IntVar(&p.rounds, "rounds", 15, "how often each peer does each work; peers take turns")
	seconds := flag.Float64("seconds", 2, "length of each measurement")
	only := flag.String("only", "", "a regular expression: measure the matching of `cell/peer`, such as echo-w1-100/floor")
	quick := flag.Bool("quick", false, "one short round of everything, for a look")
	lines := flag.Bool("json", false, "print measurements as lines of JSON instead of tables")
	flag.StringVar(&p.profile, "profile", "", "write CPU profiles of the servers to this `folder`")
	gns := flag.String("gns", "", "`path` of libGameNetworkingSockets.so, to measure it, too")
	flag.Parse()
	if err := os.Setenv(gnsVariable, *gns); err != nil {
		return err
	}
	p.seconds, p.warm = time.Duration(*seconds*float64(time.Second)), time.Second/2
	all, lengths := cells(), fullTimes
	if *quick {
		lengths = quickTimes
		p.rounds, p.seconds, p.warm = 1, time.Second/4, time.Second/8
		all = small(all)
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if p.server, p.client, err = processors(); err != nil {
		return err
	}
	results := p.all(jobs(all, match))
	outcomes := p.matrix(trials(match, lengths), min(p.rounds, matrixRounds))
	if *lines {
		return errors.Join(printJSON(results), printJSON(outcomes))
	}
	return printTables(os.Stdout, &p, all, results, outcomes)
}

// small is for a look: without the crowds, which take long to gather.
func small(all []cell) []cell {
	return slices.DeleteFunc(all, func(c cell) bool { return c.Players > 100 })
}

// all makes every measurement, round by round. One that fails is reported and
// left out.
func (p *plan) all(list []job) []result {
	var results []result
	for round := range p.rounds {
		for i, j := range list {
			at := fmt.Sprintf("[%d/%d] round %d %s/%s", round*len(list)+i+1, p.rounds*len(list), round+1, j.Name, j.Peer)
			r, err := p.measure(j, round)
			if err != nil {
				fmt.Fprintln(os.Stderr, at, "failed:", err)
				continue
			}
			fmt.Fprintf(os.Stderr, "%s: %s\n", at, r)
			results = append(results, *r)
		}
	}
	return results
}

// String is a line of progress.
func (r *result) String() string {
	if r.Rate == 0 {
		return fmt.Sprintf("%.0f bytes and %.2f goroutines for each player", r.Figure, r.Goroutines)
	}
	return fmt.Sprintf("%.2f µs, %.0f/s, server %.2f, client %.2f µs, others %.2f, rtt %.0f µs, slept %.3f, mallocs %.2f, failed %d",
		r.Figure, r.Rate, r.Server, r.Client, r.Others, r.P50, r.Switches, r.Mallocs, r.Failed)
}

func printJSON[T any](results []T) error {
	out := json.NewEncoder(os.Stdout)
	for i := range results {
		if err := out.Encode(&results[i]); err != nil {
			return err
		}
	}
	return nil
}
