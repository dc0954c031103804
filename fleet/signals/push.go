package signals

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/token"
)

// ServeHTTP takes a SET by push (RFC 8935). It answers 202 once what the SET says is on disk. Serve it
// by TLS, with a ReadTimeout.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "a SET is pushed by POST (RFC 8935)", http.StatusMethodNotAllowed)
		return
	}
	authorization := q.Header.Get("Authorization")
	if !r.open && !r.known(authorization) { // strangers cost nothing
		r.count(errAuthorization, time.Now())
		answer(w, errAuthorization)
		return
	}
	if media, _, err := mime.ParseMediaType(q.Header.Get("Content-Type")); err != nil || media != "application/"+token.TypeEvent {
		why := &refusal{"invalid_request", "Content-Type must be application/" + token.TypeEvent, http.StatusBadRequest, "type"}
		r.count(why, time.Now())
		answer(w, why)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxBody))
	if err != nil {
		why := &refusal{"invalid_request", "the request could not be read", http.StatusBadRequest, "form"}
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			why = &refusal{"invalid_request", "the SET is too long", http.StatusRequestEntityTooLarge, "size"}
		}
		r.count(why, time.Now())
		answer(w, why)
		return
	}
	answer(w, r.take(q.Context(), time.Now(), raw, func(t *transmitter, _ *token.Event) *refusal {
		if !t.Authorization.opens(authorization) {
			return errAuthorization
		}
		return nil
	}))
}

var errAuthorization = &refusal{"authentication_failed", "the header Authorization is not the one agreed on", http.StatusUnauthorized, "authorization"}

// known reports whether some transmitter has that Authorization.
func (r *Receiver) known(authorization string) bool {
	found := false
	for _, t := range r.transmitters {
		found = t.Authorization.opens(authorization) || found
	}
	return found
}

// answer writes an answer of RFC 8935 2.2 and 2.3.
func answer(w http.ResponseWriter, why *refusal) {
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case why == nil:
		w.WriteHeader(http.StatusAccepted)
	case why.err == "":
		w.Header().Set("Retry-After", "5")
		http.Error(w, why.text, why.status)
	default:
		if why.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Language", "en-US")
		w.WriteHeader(why.status)
		_ = json.NewEncoder(w).Encode(fault{why.err, why.text}) // the transmitter has gone
	}
}

// fault is the body of an error of RFC 8935 2.3, and a member of setErrs of RFC 8936 2.4.
type fault struct {
	Err         string `json:"err"`
	Description string `json:"description"`
}
