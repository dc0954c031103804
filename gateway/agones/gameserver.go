package agones

import (
	"encoding/json"
	"fmt"
	"time"
)

// GameServer is what the SDK server tells of a GameServer of Agones.
type GameServer struct {
	Name, Namespace, UID string
	ResourceVersion      string
	Labels, Annotations  map[string]string // not to be changed
	Deleted              bool              // somebody has deleted it: the pod is about to end

	State    State
	Address  string // where players connect, as far as Agones knows
	Ports    []Port
	Counters map[string]Counter
	Lists    map[string]List
	Health   Health

	at time.Time // it was so then, or later: when it was asked for, or the watch has said it; zero if it is not known
}

// Port is a port of a GameServer under which players reach it.
type Port struct {
	Name string `json:"name"`
	Port int32  `json:"port"`
}

// Health says how often a GameServer's health has to be confirmed.
type Health struct {
	Disabled     bool
	Period       time.Duration // 0 if it is not known
	Failures     int           // so many periods without make it Unhealthy
	InitialDelay time.Duration
}

// State is where a GameServer is in its life, in the words of Agones.
type State string

// The states of a GameServer that matter here. Others come before Ready.
const (
	Scheduled    State = "Scheduled"
	RequestReady State = "RequestReady"
	Ready        State = "Ready"
	Reserved     State = "Reserved"
	Allocated    State = "Allocated"
	Shutdown     State = "Shutdown"
	Unhealthy    State = "Unhealthy"
	Error        State = "Error"
)

// begun reports whether the server has been ready, or will never be.
func (s State) begun() bool {
	switch s {
	case Ready, Reserved, Allocated, Shutdown, Unhealthy, Error:
		return true
	}
	return false
}

// Ends reports whether the GameServer is about to end.
func (g *GameServer) Ends() bool { return g.Deleted || g.State == Shutdown || g.State == Error }

// value returns an annotation, or the label of the same name where there is none.
func (g *GameServer) value(key string) (string, bool) {
	if v, ok := g.Annotations[key]; ok {
		return v, true
	}
	v, ok := g.Labels[key]
	return v, ok
}

// Counter is a Counter of Agones.
type Counter struct{ Count, Capacity int64 }

// List is a List of Agones.
type List struct {
	Capacity int64
	Values   []string
}

// The same in JSON. The SDK server writes names with underscores, and a newer one may write them as JSON
// of protocol buffers has them.
type (
	gameServerJSON struct {
		Meta   *metaJSON  `json:"object_meta"`
		Meta2  *metaJSON  `json:"objectMeta"`
		Spec   *specJSON  `json:"spec"`
		Status statusJSON `json:"status"`
	}
	metaJSON struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		UID         string            `json:"uid"`
		Version     string            `json:"resource_version"`
		Version2    string            `json:"resourceVersion"`
		Deletion    number            `json:"deletion_timestamp"`
		Deletion2   number            `json:"deletionTimestamp"`
		Annotations map[string]string `json:"annotations"`
		Labels      map[string]string `json:"labels"`
	}
	specJSON struct {
		Health struct {
			Disabled bool  `json:"disabled"`
			Period   int32 `json:"period_seconds"`
			Period2  int32 `json:"periodSeconds"`
			Failures int32 `json:"failure_threshold"`
			Fail2    int32 `json:"failureThreshold"`
			Delay    int32 `json:"initial_delay_seconds"`
			Delay2   int32 `json:"initialDelaySeconds"`
		} `json:"health"`
	}
	statusJSON struct {
		State    State                  `json:"state"`
		Address  string                 `json:"address"`
		Ports    []Port                 `json:"ports"`
		Counters map[string]counterJSON `json:"counters"`
		Lists    map[string]listJSON    `json:"lists"`
	}
	counterJSON struct {
		Count    number `json:"count"`
		Capacity number `json:"capacity"`
	}
	listJSON struct {
		Capacity number   `json:"capacity"`
		Values   []string `json:"values"`
	}
)

// parseGameServer reads a GameServer. The error matches ErrAnswer.
func parseGameServer(b []byte) (*GameServer, error) {
	var j gameServerJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	meta := j.Meta
	if meta == nil {
		meta = j.Meta2
	}
	if meta == nil {
		return nil, fmt.Errorf("%w: no GameServer", ErrAnswer)
	}
	g := &GameServer{
		Name: meta.Name, Namespace: meta.Namespace, UID: meta.UID, ResourceVersion: meta.Version + meta.Version2,
		Labels: meta.Labels, Annotations: meta.Annotations, Deleted: meta.Deletion > 0 || meta.Deletion2 > 0,
		State: j.Status.State, Address: j.Status.Address, Ports: j.Status.Ports,
	}
	if len(j.Status.Counters) > 0 {
		g.Counters = make(map[string]Counter, len(j.Status.Counters))
		for name, c := range j.Status.Counters {
			g.Counters[name] = Counter{int64(c.Count), int64(c.Capacity)}
		}
	}
	if len(j.Status.Lists) > 0 {
		g.Lists = make(map[string]List, len(j.Status.Lists))
		for name, l := range j.Status.Lists {
			g.Lists[name] = List{int64(l.Capacity), l.Values}
		}
	}
	if j.Spec != nil {
		h := &j.Spec.Health
		g.Health = Health{
			Disabled: h.Disabled, Period: seconds(h.Period, h.Period2), Failures: int(max(h.Failures, h.Fail2)),
			InitialDelay: seconds(h.Delay, h.Delay2),
		}
	}
	return g, nil
}

// seconds is the larger of two numbers of seconds, of which one is not there.
func seconds(a, b int32) time.Duration { return time.Duration(max(a, b, 0)) * time.Second }
