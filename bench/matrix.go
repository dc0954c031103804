//go:build linux

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// condition is one row of the matrix: a link. The seven are those that
// GameNetworkingSockets is tested with.
type condition struct {
	Name string
	Link netsim.Impairment
}

// linkQueue is what a bottleneck holds before it drops.
const linkQueue = 250 * time.Millisecond

func conditions() []condition {
	return []condition{
		{"128k-10-50", at(128_000, 10, 50, 2, 50)},
		{"1m-5-10", at(1_000_000, 5, 10, 1, 10)},
		{"2m-late", at(2_000_000, 0, 50, 30, 40)},
		{"64k-20-100", at(64_000, 20, 100, 4, 50)},
		{"1m-20-100", at(1_000_000, 20, 100, 4, 10)},
		{"1m-2-5", at(1_000_000, 2, 5, 2, 1)},
		{"2m-clean", at(2_000_000, 0, 0, 0, 0)},
	}
}

// at is a link: bytes a second, percent lost, ms one way, percent late by ms.
func at(rate int, loss float64, lag int, reorder float64, late int) netsim.Impairment {
	return netsim.Impairment{
		Bandwidth: 8 * int64(rate), Queue: linkQueue, Loss: loss / 100, Reorder: reorder / 100,
		Latency: time.Duration(lag) * time.Millisecond, Late: time.Duration(late) * time.Millisecond,
	}
}

// String is the condition as the tables show it.
func (c *condition) String() string {
	parts := []string{fmt.Sprintf("%d KB/s", c.bytes()/1000)}
	if c.Link.Latency > 0 {
		parts = append(parts, fmt.Sprintf("%d ms", c.Link.Latency.Milliseconds()))
	}
	if c.Link.Loss > 0 {
		parts = append(parts, fmt.Sprintf("%g %% lost", c.Link.Loss*100))
	}
	if c.Link.Reorder > 0 {
		parts = append(parts, fmt.Sprintf("%g %% late by %d ms", c.Link.Reorder*100, c.Link.Late.Milliseconds()))
	}
	return strings.Join(parts, ", ")
}

// bytes is what the link carries in a second, headers included.
func (c *condition) bytes() int { return int(c.Link.Bandwidth / 8) }

// window is how many bytes fill a link and half its queue: what a game could at
// best tell a library that does not find it out.
func (c *condition) window() int {
	return int((2*c.Link.Latency + c.Link.Queue/2).Seconds() * float64(c.bytes()))
}

// trial is one condition for one contender: what its process is told.
type trial struct {
	condition
	Contender string
	Round     int
	Times     times
}

// times are the lengths of a trial's parts.
type times struct {
	Warm, Quiet time.Duration // messages alone: before and while they are measured
	Bulk        time.Duration // the most that the bulk may take
	Drain       time.Duration // the most to wait for messages under way
}

var (
	fullTimes  = times{Warm: time.Second, Quiet: 5 * time.Second, Bulk: 10 * time.Second, Drain: 2 * time.Second}
	quickTimes = times{Warm: time.Second / 2, Quiet: time.Second, Bulk: 2 * time.Second, Drain: time.Second}
)

// matrixRounds is how often each contender meets each condition at most: five
// rounds of all stay below 40 minutes.
const matrixRounds = 5

// trials are a round's, in order: those whose name, "messages-condition/contender",
// only matches.
func trials(only *regexp.Regexp, t times) []trial {
	var list []trial
	for _, c := range conditions() {
		for i := range contenders {
			if name := contenders[i].name; contenders[i].present() && only.MatchString("messages-"+c.Name+"/"+name) {
				list = append(list, trial{condition: c, Contender: name, Times: t})
			}
		}
	}
	return list
}

func contenderNamed(name string) *contender {
	i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &contenders[i]
}
