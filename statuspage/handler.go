package statuspage

import (
	"encoding/json"
	"net/http"
)

// Handler returns what serves the page. It starts a goroutine only once a request has found that the
// server takes no turn: one, which ends with the server's next turn or its end. Errors match ErrConfig.
func Handler(config Config) (http.Handler, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	page := newPage(config.Panel)
	l := &looker{config: config}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /state", l)
	if config.Events != nil {
		mux.Handle("GET /events", newStreams(config.Events))
	}
	if config.Metrics != nil {
		mux.Handle("GET /metrics", config.Metrics)
	}
	if config.Authorize != nil {
		a := &actions{config}
		mux.HandleFunc("POST /revoke", a.serve(a.revoke))
		mux.HandleFunc("POST /ban", a.serve(a.ban))
		mux.HandleFunc("POST /lift", a.serve(a.lift))
	}
	inside := guard(config, mux)

	open := http.NewServeMux()
	open.HandleFunc("GET /live", l.live)
	open.HandleFunc("GET /ready", l.ready)
	open.Handle("/", inside)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		harden(w.Header(), page.policy)
		open.ServeHTTP(w, r)
	}), nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the reader has gone
}
