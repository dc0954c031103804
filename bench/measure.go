//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// plan is what the flags say.
type plan struct {
	rounds         int
	seconds        time.Duration // of each window
	warm           time.Duration // before it
	profile        string        // folder for profiles; empty means none
	server, client int           // processors
}

// result is one measurement.
type result struct {
	Cell  string `json:"cell"`
	Peer  string `json:"peer"`
	Round int    `json:"round"`

	// Figure is what the tables show: server CPU in µs for each datagram or
	// handshake, in the work idle bytes for each player.
	Figure   float64 `json:"figure"`
	Rate     float64 `json:"per_second"` // datagrams or handshakes
	User     float64 `json:"user_us"`    // the two parts of Figure
	System   float64 `json:"system_us"`
	Client   float64 `json:"client_us"`   // client CPU in µs for each
	Server   float64 `json:"server_load"` // processors in use by the server
	Others   float64 `json:"other_load"`  // by neither server nor client
	P50      float64 `json:"p50_us"`      // round trip; handshake: to the first echo
	P99      float64 `json:"p99_us"`
	Mallocs  float64 `json:"mallocs"`  // of the server, for each
	Switches float64 `json:"switches"` // times that the server slept, for each
	Failed   uint64  `json:"failed"`   // at either end

	Goroutines float64 `json:"goroutines,omitempty"` // idle: of the server, for each player
}

// measure makes one measurement.
func (p *plan) measure(j job, round int) (*result, error) {
	var e endpoint
	server, err := start("server", &j, p.server, &e)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	j.Endpoint = e
	r := &result{Cell: j.Name, Peer: j.Peer, Round: round}
	if j.Work == "idle" {
		return r, p.crowd(&j, r, server)
	}
	client, err := start("client", &j, p.client, new(struct{}))
	if err != nil {
		return nil, err
	}
	defer client.stop()
	time.Sleep(p.warm)
	if p.profile != "" {
		name := filepath.Join(p.profile, fmt.Sprintf("%s-%s-%d.prof", j.Name, j.Peer, round))
		if err := server.ask(askProfile+name, new(sample)); err != nil {
			return nil, err
		}
	}
	w, err := watch(server, client, p.seconds)
	if err != nil {
		return nil, err
	}
	w.fill(&j, r)
	if p.profile != "" {
		err = server.ask(askStop, new(sample))
	}
	return r, err
}

// settle is after how many times the warm-up a crowd counts as idle: 3 s.
const settle = 6

// crowd measures memory: a server alone, and after the players have come.
func (p *plan) crowd(j *job, r *result, server *process) error {
	var before, after sample
	if err := server.ask(askCollect, &before); err != nil {
		return err
	}
	client, err := start("client", j, p.client, new(struct{}))
	if err != nil {
		return err
	}
	defer client.stop()
	time.Sleep(settle * p.warm)
	if err := server.ask(askCollect, &after); err != nil {
		return err
	}
	players := float64(j.Players)
	r.Figure = (float64(after.Resident) - float64(before.Resident)) / players
	r.Goroutines = float64(after.Goroutines-before.Goroutines) / players
	r.Failed = after.Failed
	return nil
}

// views are samples of both processes, and of the machine, around a window.
type views struct {
	server, client [2]sample
	busy, wall     [2]int64
}

func watch(server, client *process, window time.Duration) (*views, error) {
	v := new(views)
	began := time.Now()
	for i := range 2 {
		v.busy[i], v.wall[i] = machineBusy(), int64(time.Since(began))
		if err := server.ask(askSample, &v.server[i]); err != nil {
			return nil, err
		}
		if err := client.ask(askSample, &v.client[i]); err != nil {
			return nil, err
		}
		if i == 0 {
			time.Sleep(window)
		}
	}
	return v, nil
}

// fill works everything out. Each process has a window of its own: one that is
// fully at work answers late.
func (v *views) fill(j *job, r *result) {
	s0, s1, c0, c1 := &v.server[0], &v.server[1], &v.client[0], &v.client[1]
	seconds := float64(s1.At-s0.At) / 1e9
	clientSeconds := float64(c1.At-c0.At) / 1e9
	n := float64(s1.Received - s0.Received)
	if j.Work == "handshake" {
		n = float64(c1.Handshakes-c0.Handshakes) * seconds / clientSeconds
	}
	n = max(n, 1)
	r.Figure = float64(s1.cpu()-s0.cpu()) / 1e3 / n
	r.User = float64(s1.User-s0.User) / 1e3 / n
	r.System = float64(s1.System-s0.System) / 1e3 / n
	r.Rate = n / seconds
	r.Server = float64(s1.cpu()-s0.cpu()) / 1e9 / seconds
	client := float64(c1.cpu()-c0.cpu()) / 1e9 / clientSeconds
	r.Client = client * 1e6 / r.Rate
	r.Others = max(0, float64(v.busy[1]-v.busy[0])/float64(v.wall[1]-v.wall[0])-r.Server-client)
	r.P50, r.P99 = c1.P50, c1.P99
	r.Mallocs = float64(s1.Mallocs-s0.Mallocs) / n
	r.Switches = float64(s1.Switches-s0.Switches) / n
	r.Failed = s1.Failed - s0.Failed + c1.Failed - c0.Failed
}
