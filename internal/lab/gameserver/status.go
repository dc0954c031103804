package gameserver

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/internal/lab/statuspage"
	"github.com/sallyport/sallyport/token"
)

// handler serves the status address.
func (s *Server) handler(w *watch) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /stats", s.stats)
	if s.config.Dev != nil {
		mux.HandleFunc("GET /token", s.token)
		mux.HandleFunc("POST /token", s.token)
	}
	mux.Handle("/", statuspage.Handler(statuspage.Config{
		State: w.State, Events: s.events, Admin: w.admin, Revoker: s.game, Issuer: s.config.Issuer,
	}))
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

func (s *Server) stats(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(s.Stats()) //nolint:errcheck // the operator has gone
}

// token mints what the caller asks for. A web page in a browser on this machine could ask as well: the Host that it
// must send is not ours, unless it is a loopback one.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if !statuspage.LoopbackHost(r.Host) {
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
