package statuspage

import (
	"errors"
	"net"
	"net/http"

	"github.com/sallyport/sallyport/internal/hosts"
)

// errElsewhere is what Local returns.
var errElsewhere = errors.New("statuspage: the request comes from another machine, or by a proxy")

// guard answers only what comes from this machine, or from anywhere with Config.Remote, and asks
// for a Host that nobody else can have.
func guard(config Config, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !config.Remote && !local(r):
			http.Error(w, "ask at a loopback address of the machine", http.StatusForbidden)
		case !hosts.Addressed(r.Host, config.Hosts...):
			http.Error(w, "ask by IP address, as localhost, or by a name that the server lists", http.StatusForbidden)
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// Local permits requests from this machine itself, to a loopback address or a Unix socket, unless a
// header says that a proxy forwards them. It is for Config.Authorize where whoever is logged in to
// the machine may act.
func Local(r *http.Request) error {
	if !local(r) || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "" {
		return errElsewhere
	}
	return nil
}

// local reports whether a request has come to an address that only this machine reaches.
func local(r *http.Request) bool {
	switch a := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// harden sets what holds for every answer: nothing is kept, framed, guessed at, or given to another
// site.
func harden(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}
