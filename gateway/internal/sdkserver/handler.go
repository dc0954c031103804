package sdkserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ServeHTTP implements http.Handler.
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
