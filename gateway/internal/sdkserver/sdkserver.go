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
	"fmt"
	"maps"
	"net/http"
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
	// Late is how long an answer of GET /gameserver, as it is when it is asked for, is under way. Set before use.
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

// ServeHTTP is that of an http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.misbehaves(w, r) {
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /ready":
		s.state(w, "Ready")
	case "POST /allocate":
		s.state(w, "Allocated")
	case "POST /reserve":
		s.state(w, "Reserved")
	case "POST /shutdown":
		s.state(w, "Shutdown")
	case "POST /health":
		fmt.Fprint(w, "{}")
	case "GET /gameserver":
		b := s.document()
		select {
		case <-time.After(s.Late):
			w.Write(b) //nolint:errcheck // a test's
		case <-r.Context().Done():
		}
	case "GET /watch/gameserver":
		s.watch(w, r)
	case "PUT /metadata/label", "PUT /metadata/annotation":
		s.metadata(w, r)
	default:
		s.counts(w, r)
	}
}

// misbehaves notes the call, and answers it if it is not to be answered as it should.
func (s *Server) misbehaves(w http.ResponseWriter, r *http.Request) bool {
	s.mu.Lock()
	if r.URL.Path == "/health" {
		s.health++
	} else {
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	}
	f, faulty := s.faults[r.URL.Path]
	if !faulty {
		f, faulty = s.faults[""]
	}
	silent, release := s.silent, s.release
	s.mu.Unlock()
	if silent {
		select {
		case <-release:
		case <-r.Context().Done():
			return true
		}
	}
	if faulty {
		w.WriteHeader(f.status)
		fmt.Fprint(w, f.body)
	}
	return faulty
}

// state queues a change of state.
func (s *Server) state(w http.ResponseWriter, state string) {
	s.change(true, func() { s.status.State = state })
	fmt.Fprint(w, "{}")
}

// watch tells of the GameServer: at first, and with each change.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	changed := make(chan struct{}, 1)
	s.mu.Lock()
	s.watches[changed] = true
	cut := s.cut
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches, changed)
	}()
	for {
		s.mu.Lock()
		silent, release := s.silent, s.release
		s.mu.Unlock()
		if silent {
			select {
			case <-release:
			case <-cut:
				return
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprintf(w, "{\"result\":%s}\n", s.document())
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-cut:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// metadata sets a label or an annotation, with the prefix of the SDK.
func (s *Server) metadata(w http.ResponseWriter, r *http.Request) {
	var kv struct{ Key, Value string }
	if json.NewDecoder(r.Body).Decode(&kv) != nil {
		refuse(w, http.StatusBadRequest, 3, "malformed")
		return
	}
	s.change(true, func() {
		if strings.HasSuffix(r.URL.Path, "label") {
			s.meta.Labels["agones.dev/sdk-"+kv.Key] = kv.Value
		} else {
			s.meta.Annotations["agones.dev/sdk-"+kv.Key] = kv.Value
		}
	})
	fmt.Fprint(w, "{}")
}

// refuse answers as gRPC's gateway does.
func refuse(w http.ResponseWriter, status, code int, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message, "details": []string{}}) //nolint:errcheck // a test's
}

// counts serves Counters and Lists.
func (s *Server) counts(w http.ResponseWriter, r *http.Request) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1beta1/"), "/")
	name, verb, _ := strings.Cut(rest, ":")
	var body struct {
		Count, CountDiff, Value string
		Values                  []string
	}
	if r.Method != http.MethodGet && json.NewDecoder(r.Body).Decode(&body) != nil {
		refuse(w, http.StatusBadRequest, 3, "malformed")
		return
	}
	s.mu.Lock()
	c, isCounter := s.status.Counters[name]
	l, isList := s.status.Lists[name]
	s.mu.Unlock()
	switch {
	case kind == "counters" && isCounter:
		s.counter(w, r, name, c, body.Count, body.CountDiff)
	case kind == "lists" && isList:
		s.list(w, r, name, l, verb, body.Value, body.Values)
	case kind == "counters" || kind == "lists":
		refuse(w, http.StatusInternalServerError, 2, "not found. "+name+" not found")
	default:
		refuse(w, http.StatusNotFound, 5, "Not Found")
	}
}

func (s *Server) counter(w http.ResponseWriter, r *http.Request, name string, c counter, count, diff string) {
	if r.Method == http.MethodPatch {
		n, _ := strconv.ParseInt(c.Count, 10, 64)
		most, _ := strconv.ParseInt(c.Capacity, 10, 64)
		if count != "" {
			n, _ = strconv.ParseInt(count, 10, 64)
		}
		d, _ := strconv.ParseInt(diff, 10, 64)
		if n += d; n < 0 || n > most {
			refuse(w, http.StatusInternalServerError, 2, fmt.Sprintf("out of range. Count must be within range [0,Capacity]. Found Count: %d, Capacity: %d", n, most))
			return
		}
		c.Count = strconv.FormatInt(n, 10)
		s.change(true, func() { s.status.Counters[name] = c })
	}
	json.NewEncoder(w).Encode(map[string]string{"name": name, "count": c.Count, "capacity": c.Capacity}) //nolint:errcheck // a test's
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, name string, l list, verb, value string, values []string) {
	most, _ := strconv.Atoi(l.Capacity)
	has := slices.Contains(l.Values, value)
	switch {
	case verb == "addValue" && has:
		refuse(w, http.StatusInternalServerError, 2, "already exists. Value: "+value+" already in List: "+name)
		return
	case verb == "removeValue" && !has:
		refuse(w, http.StatusInternalServerError, 2, "not found. Value: "+value+" not found in List: "+name)
		return
	case verb == "addValue":
		l.Values = append(slices.Clone(l.Values), value)
	case verb == "removeValue":
		l.Values = slices.DeleteFunc(slices.Clone(l.Values), func(v string) bool { return v == value })
	case r.Method == http.MethodPatch:
		l.Values = values
	}
	if len(l.Values) > most {
		refuse(w, http.StatusInternalServerError, 2, fmt.Sprintf("out of range. No available capacity. Current Capacity: %d, List Size: %d", most, len(l.Values)))
		return
	}
	if r.Method != http.MethodGet {
		s.change(true, func() { s.status.Lists[name] = l })
	}
	json.NewEncoder(w).Encode(map[string]any{"name": name, "capacity": l.Capacity, "values": l.Values}) //nolint:errcheck // a test's
}
