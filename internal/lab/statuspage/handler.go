package statuspage

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
)

// Config is the source of what the page shows, and the target of what it does.
type Config struct {
	// State returns the newest state of the match. It must not wait for the match.
	State func() *State

	// Events are the decisions to show.
	Events Events

	// Admin serves /revoke, by Revoker, and refuses a Host that is not a loopback one. It is for a server that listens
	// on a loopback address only. Issuer stands for one that a revocation does not name; empty means that it must.
	Admin   bool
	Revoker Revoker
	Issuer  string
}

// Handler serves the page and what it asks for.
func Handler(config Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", servePage)
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, config.State()) })
	mux.Handle("GET /events", newStreams(config.Events))
	if config.Admin {
		mux.Handle("POST /revoke", &revocation{config.Revoker, config.Issuer})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header())
		if config.Admin && !LoopbackHost(r.Host) {
			http.Error(w, "ask at a loopback address", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// LoopbackHost reports whether the Host of a request is this machine by a name or address that nobody else can have.
func LoopbackHost(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the reader has gone
}
