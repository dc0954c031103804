// Package sdkserver stands in for the SDK server of Agones in tests and examples. It is no SDK server and
// has none of its code: its answers are written after those that Agones v1.56's answered in local mode
// when it was asked by hand, and after what Agones documents of v1.60 (Client SDKs, REST; sdk.proto;
// beta.proto): paths and methods, JSON with underscores in names and 64-bit numbers as strings, errors as
// HTTP 500 with a gRPC code of 2, changes of state that are queued and seen by the watch later. Where the
// two differ, as in what a list without room answers, nothing here depends on it.
//
// Besides it can be all that an SDK server should not: late, silent, broken, or gone.
package sdkserver

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is an SDK server with its GameServer. It is an http.Handler; its methods are safe for
// concurrent use.
type Server struct {
	// Lag is how long a change is queued before the GameServer has it. Set before use.
	Lag time.Duration
	// Late is how long an answer of GET /gameserver, as it is when it is asked for, is under way. Set
	// before use.
	Late time.Duration

	mu      sync.Mutex
	meta    meta
	status  status
	watches map[chan struct{}]bool
	cut     chan struct{} // closed to end the watches
	calls   []string
	health  int
	faults  map[string]fault // by path, "" for all
	silent  bool
	release chan struct{} // closed to end the silence
}

// fault is what a path answers in place of its answer.
type fault struct {
	status int
	body   string
}

type (
	gameServer struct {
		Meta   meta   `json:"object_meta"`
		Spec   spec   `json:"spec"`
		Status status `json:"status"`
	}
	meta struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Version     string            `json:"resource_version"`
		Generation  string            `json:"generation"`
		Created     string            `json:"creation_timestamp"`
		Deleted     string            `json:"deletion_timestamp"`
		Annotations map[string]string `json:"annotations"`
		Labels      map[string]string `json:"labels"`
	}
	spec struct {
		Health health `json:"health"`
	}
	health struct {
		Disabled bool `json:"disabled"`
		Period   int  `json:"period_seconds"`
		Failures int  `json:"failure_threshold"`
		Delay    int  `json:"initial_delay_seconds"`
	}
	status struct {
		State    string             `json:"state"`
		Address  string             `json:"address"`
		Ports    []port             `json:"ports"`
		Counters map[string]counter `json:"counters"`
		Lists    map[string]list    `json:"lists"`
	}
	port struct {
		Name string `json:"name"`
		Port int    `json:"port"`
	}
	counter struct {
		Count    string `json:"count"`
		Capacity string `json:"capacity"`
	}
	list struct {
		Capacity string   `json:"capacity"`
		Values   []string `json:"values"`
	}
)

// New returns the SDK server of a GameServer in the state Scheduled, with the Counter "players" and the
// List "players" of 1,000 each.
func New(name string) *Server {
	return &Server{
		meta: meta{
			Name: name, Namespace: "default", UID: "1234", Version: "v1", Generation: "1", Created: "1700000000", Deleted: "0",
			Annotations: map[string]string{}, Labels: map[string]string{},
		},
		status: status{
			State: "Scheduled", Address: "127.0.0.1", Ports: []port{{"default", 7777}},
			Counters: map[string]counter{"players": {"0", "1000"}}, Lists: map[string]list{"players": {"1000", []string{}}},
		},
		watches: map[chan struct{}]bool{}, cut: make(chan struct{}), faults: map[string]fault{},
	}
}

// change changes the GameServer, after Lag if it is queued, and tells the watches.
func (s *Server) change(queued bool, f func()) {
	apply := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f()
		n, _ := strconv.Atoi(strings.TrimPrefix(s.meta.Version, "v"))
		s.meta.Version = "v" + strconv.Itoa(n+1)
		for w := range s.watches {
			select {
			case w <- struct{}{}:
			default:
			}
		}
	}
	if queued && s.Lag > 0 {
		time.AfterFunc(s.Lag, apply)
		return
	}
	apply()
}

// SetState sets the state, as Agones' controllers do.
func (s *Server) SetState(state string) { s.change(false, func() { s.status.State = state }) }

// Delete marks the GameServer as deleted.
func (s *Server) Delete() { s.change(false, func() { s.meta.Deleted = "1700000001" }) }

// Allocate sets the state Allocated with annotations, as a GameServerAllocation does.
func (s *Server) Allocate(annotations map[string]string) {
	s.change(false, func() {
		s.status.State = "Allocated"
		maps.Copy(s.meta.Annotations, annotations)
	})
}

// Annotate sets an annotation, as kubectl does.
func (s *Server) Annotate(key, value string) {
	s.change(false, func() { s.meta.Annotations[key] = value })
}

// Label sets a label.
func (s *Server) Label(key, value string) { s.change(false, func() { s.meta.Labels[key] = value }) }

// Fault has a path answer a status and a body in place of its answer; status 0 ends that.
func (s *Server) Fault(path string, status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if delete(s.faults, path); status != 0 {
		s.faults[path] = fault{status, body}
	}
}

// Silence has every call, and every watch, say nothing, until it is called with false.
func (s *Server) Silence(silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if silent == s.silent {
		return
	}
	if s.silent = silent; silent {
		s.release = make(chan struct{})
	} else {
		close(s.release)
	}
}

// Cut ends the watches.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

// Calls returns the calls so far but those of health, as method and path.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Health returns how often health was called.
func (s *Server) Health() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.health
}

// State returns the state.
func (s *Server) State() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.State
}

// Players returns the values of the List "players", and the count of the Counter.
func (s *Server) Players() ([]string, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.status.Lists["players"].Values), s.status.Counters["players"].Count
}

// document returns the GameServer in JSON.
func (s *Server) document() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(gameServer{s.meta, spec{health{false, 3, 5, 10}}, s.status})
	if err != nil {
		panic(err) // nothing in it cannot be written
	}
	return b
}
