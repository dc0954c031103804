package admin

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/statuspage"
)

// api is the handler.
type api struct {
	config  Config            // constant
	table   map[string]*route // constant: method and path
	health  http.Handler      // /live and /ready
	limiter *limiter
	lines   *rate.Limiter // of the log
	turn    chan struct{} // held by the one that visits the server
	names   [32]byte      // random: key of the digests by which bans are ordered; constant
}

// Handler returns what serves the API. It has to be served on connections of
// identity.Source.Listen, by NewServer or another http.Server with time limits. Errors match
// ErrConfig.
func Handler(config Config) (http.Handler, error) {
	config, err := config.WithDefaults()
	if err != nil {
		return nil, err
	}
	a := &api{
		config: config, table: make(map[string]*route), turn: make(chan struct{}, 1),
		limiter: newLimiter(config.PeerPerSecond, config.PerSecond), lines: rate.NewLimiter(linesPerSecond, linesBurst),
	}
	rand.Read(a.names[:]) // never fails
	if config.Server != nil {
		if a.health, err = statuspage.Handler(statuspage.Config{Server: config.Server, Ready: a.ready}); err != nil {
			return nil, err
		}
	}
	for _, r := range a.routes() {
		if config.Server == nil && r.match && !(r.fleet && config.Publisher != nil) || config.Metrics == nil && r.path == "/metrics" {
			continue
		}
		a.table[r.method+" "+r.path] = &r
	}
	return a, nil
}

// NewServer returns an http.Server for h with time limits, short headers, and at most 128
// connections at once, of which nobody can hold all; see statuspage.NewServer. It is not listening
// yet: give it the listener of identity.Source.Listen. Close it after the match server.
func NewServer(h http.Handler) *http.Server {
	s := statuspage.NewServer(h)
	s.ErrorLog = log.New(io.Discard, "", 0) // the identity's log has the handshakes that fail, without addresses
	// "OPTIONS *" is no call of the API, so h refuses, counts and records it like any other.
	s.DisableGeneralOptionsHandler = true
	return s
}

// call is one request under way.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	peer   identity.Peer
	name   string // of the session in the path
	cause  string // for the audit: why the identity was refused, a label of docs/fleet.md 17.3
	detail string // for the audit: what exactly, and what came of it
	quiet  bool   // like the call before, which has a line already
}

// ServeHTTP checks who calls, how often, what and whether it may, in this order; then it is done
// and recorded.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	route, name := a.find(r)
	if a.config.OnCall != nil {
		seen := &counted{ResponseWriter: w}
		w = seen
		defer a.count(time.Now(), route, seen)
	}
	c := &call{w: w, r: r, name: name}
	if problem := a.admit(c, route); problem != nil {
		a.record(c, route, problem)
		problem.write(w)
		return
	}
	result, problem := route.serve(c)
	if problem != nil || route.permission != 0 {
		a.record(c, route, problem)
	}
	switch result := result.(type) {
	case nil:
		problem.write(w)
	case http.Handler:
		result.ServeHTTP(w, r)
	default:
		h.Set("Content-Type", "application/json")
		w.WriteHeader(route.status)
		json.NewEncoder(w).Encode(result) //nolint:errcheck // the caller has gone
	}
}

// checkHealth is GET /live and GET /ready.
func (a *api) checkHealth(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	return a.health, nil
}

// getDocument is GET /openapi.yaml.
func (a *api) getDocument(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(document) //nolint:errcheck // the caller has gone
	}), nil
}

// foreign tells requests that a page of another site has a browser make.
var foreign = http.NewCrossOriginProtection()

// admit returns why a request is not served, nil if it is.
func (a *api) admit(c *call, route *route) (problem *Problem) {
	var state tls.ConnectionState
	if c.r.TLS != nil {
		state = *c.r.TLS
	}
	var err error
	if c.peer, err = a.config.Identity.Peer(state); err != nil {
		if refusal := identity.Refusal(0); errors.As(err, &refusal) {
			c.cause = refusal.String()
		}
		return problemForbidden
	}
	if problem, tell := a.limiter.take(c.peer.ID, time.Now()); problem != nil {
		c.quiet = !tell
		return problem
	}
	switch {
	case route == nil:
		return problemForbidden
	case route.permission != 0 && !c.peer.Permissions.Has(route.permission):
		c.cause = identity.NotPermitted.String()
		return problemForbidden
	case route.method == http.MethodGet && c.r.ContentLength != 0:
		return problemBody
	case foreign.Check(c.r) != nil:
		return problemElsewhere
	}
	return nil
}

// counted is the writer of a call whose status is asked for.
type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
	c.ResponseWriter.WriteHeader(status)
}

// count tells OnCall of a call that was answered.
func (a *api) count(began time.Time, route *route, w *counted) {
	operation := ""
	if route != nil {
		operation = route.operation
	}
	a.config.OnCall(operation, cmp.Or(w.status, http.StatusOK), time.Since(began))
}

// record records a call and its outcome. Of the calls of a service that are too many one a second
// has a line.
func (a *api) record(c *call, route *route, problem *Problem) {
	if c.quiet {
		return
	}
	e := audit.Event{Decision: audit.Operate, Actor: c.peer.ID, Prefix: network(c.r.RemoteAddr), Detail: c.detail}
	if route != nil {
		e.Operation = route.operation
	}
	if problem != nil {
		e.Cause = cmp.Or(c.cause, problem.Label())
		if problem.denies() {
			e.Decision = audit.Deny
		}
	}
	a.config.Audit.Record(e)
	if problem != nil && a.lines.Allow() {
		a.config.Log.Warn("admin: a call was refused or failed", "cause", e.Cause, "peer", e.Actor, "operation", e.Operation,
			"status", problem.Status, "do", problem.Detail)
	}
}

// network returns whose address a request comes from; the audit shortens it.
func network(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr := at.Addr().Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}
