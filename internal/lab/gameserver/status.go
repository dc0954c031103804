package gameserver

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/internal/hosts"
	"github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/token"
)

// handler serves the status address. Only whoever is on this machine is told names and may revoke.
func (s *Server) handler(w *watch, meters *metrics.Collector, loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /stats", s.stats)
	if s.config.Dev != nil {
		mux.HandleFunc("GET /token", s.token)
		mux.HandleFunc("POST /token", s.token)
		mux.HandleFunc("GET /dev", s.dev)
	}
	config := statuspage.Config{
		Server: s.game, Events: s.events, Remote: !loopback, Names: loopback, Issuer: s.config.Issuer,
		Hosts: s.config.Hosts, Metrics: metrics.Handler(meters), Panel: w.panel(),
	}
	if loopback {
		config.Authorize, config.Revoker = statuspage.Local, s.game
	}
	page, err := statuspage.Handler(config)
	if err != nil {
		panic(err) // it is all here
	}
	mux.Handle("/", page)
	return mux
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-s.done:
		http.Error(w, "the match has ended", http.StatusServiceUnavailable)
	default:
		io.WriteString(w, "ok\n") //nolint:errcheck // the operator has gone
	}
}

func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	if !hosts.Addressed(r.Host, s.config.Hosts...) {
		http.Error(w, "ask by IP address, as localhost, or by a name that the server lists", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Stats()) //nolint:errcheck // the operator has gone
}

// DevFile returns what a client needs to join a development server.
func (s *Server) DevFile() File {
	return File{Addr: s.Addr().String(), CA: string(s.config.Dev.CA), TokenURL: s.URL() + "/token"}
}

// dev answers what the development file says, with addresses at which the caller reaches this machine.
func (s *Server) dev(w http.ResponseWriter, r *http.Request) {
	if !s.config.Dev.Public && !hosts.Loopback(r.Host) {
		http.Error(w, "ask at a loopback address", http.StatusForbidden)
		return
	}
	f := s.DevFile()
	f.TokenURL = "http://" + r.Host + "/token"
	if host, _, err := net.SplitHostPort(r.Host); err == nil && s.Addr().Addr().IsUnspecified() {
		f.Addr = net.JoinHostPort(host, strconv.Itoa(int(s.Addr().Port())))
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(f) //nolint:errcheck // the player has gone
}

// token mints what the caller asks for. A web page in a browser on this machine could ask as well: the Host that it
// must send is not ours, unless it is a loopback one.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if !s.config.Dev.Public && !hosts.Loopback(r.Host) {
		http.Error(w, "ask for tokens at a loopback address", http.StatusForbidden)
		return
	}
	g := token.Grant{
		Subject: r.FormValue("subject"), Scope: r.FormValue("scope"),
		Platform: r.FormValue("platform"), Build: r.FormValue("build"),
	}
	var err error
	if life := r.FormValue("life"); life != "" {
		if g.Life, err = time.ParseDuration(life); err != nil {
			http.Error(w, "life must be a duration such as 10m", http.StatusBadRequest)
			return
		}
	}
	t, err := s.config.Dev.Issuer.Mint(time.Now(), g)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, t) //nolint:errcheck // the player has gone
}
