package admin

import (
	"encoding/json"
	"net/http"
	"strings"
)

// problemBase is where the types of problems are documented.
const problemBase = "https://github.com/sallyport/sallyport/blob/main/docs/operating.md#"

// Problem is an error of the API: the body of an application/problem+json of RFC 9457. Its texts
// are fixed and quote nothing of the request.
type Problem struct {
	Type   string `json:"type"` // a URL that ends with the label of the problem
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`          // what to do
	Field  string `json:"field,omitempty"` // the parameter or member that cannot be used
	Ended  *int   `json:"ended,omitempty"` // full: how many sessions were ended all the same
}

// Error returns title and detail.
func (p *Problem) Error() string {
	if p.Field != "" {
		return p.Title + " (" + p.Field + "): " + p.Detail
	}
	return p.Title + ": " + p.Detail
}

// Label returns the name of the problem's kind, such as "forbidden".
func (p *Problem) Label() string {
	_, label, _ := strings.Cut(p.Type, "#")
	return label
}

// denies reports whether the caller may not, or not as often. Of other problems a service with every
// right has some on each day: who is gone already, a body with a slip, a server that shuts down.
func (p *Problem) denies() bool {
	return p.Status == http.StatusForbidden || p.Status == http.StatusTooManyRequests
}

func newProblem(label string, status int, title, detail string) *Problem {
	return &Problem{Type: problemBase + label, Title: title, Status: status, Detail: detail}
}

// Problems, each with what to do about it.
var (
	problemForbidden = newProblem("forbidden", http.StatusForbidden, "Forbidden",
		"There is no such call, or the role of this certificate may not make it: /openapi.yaml lists the calls, the method and the permission of each.")
	problemElsewhere = newProblem("cross-origin", http.StatusForbidden, "Another site's page",
		"A page of another site may not call here: call with a program.")
	problemRate = newProblem("rate", http.StatusTooManyRequests, "Too many requests",
		"This service makes more requests than it may: wait for as many seconds as Retry-After says.")
	problemBusy = newProblem("busy", http.StatusServiceUnavailable, "Busy",
		"All services together make more requests than the server answers: wait for as many seconds as Retry-After says.")
	problemQuery = newProblem("query", http.StatusBadRequest, "Query not understood",
		"Give each parameter that /openapi.yaml lists for the call at most once, with a value that it permits, and no other.")
	problemMedia = newProblem("media-type", http.StatusUnsupportedMediaType, "Not JSON",
		"Send the body as application/json.")
	problemLength = newProblem("length", http.StatusRequestEntityTooLarge, "Body too long",
		"Send at most 4096 bytes.")
	problemBody = newProblem("body", http.StatusBadRequest, "Body not understood",
		"Send one JSON object in UTF-8 with members that /openapi.yaml lists for the call, each at most once and of its type, and no other.")
	problemTarget = newProblem("target", http.StatusBadRequest, "Target missing or ambiguous",
		"Say whom or what it is about in exactly one of the ways that /openapi.yaml lists for the call, with issuer where it asks for one.")
	problemNames = newProblem("names", http.StatusForbidden, "Names are not for this role",
		"The role of this certificate may not read names: ask by pseudonym, session or scope.")
	problemAbsent = newProblem("absent", http.StatusNotFound, "No such session",
		"No session of this name is live on this server: it has ended, or it lives on another one.")
	problemStalled = newProblem("stalled", http.StatusServiceUnavailable, "The server stands still",
		"The match has taken no turn for 900 ms: try again, and see /live.")
	problemClosed = newProblem("closed", http.StatusServiceUnavailable, "The server is closed",
		"The match server has shut down: ask another one.")
	problemFull = newProblem("full", http.StatusServiceUnavailable, "Memory full",
		"The live sessions were ended, and the players can join again, because as many bans or revocations are kept as the server may keep: raise MaxBans or MaxRevocations.")
	problemBan = newProblem("ban", http.StatusBadRequest, "Not a ban",
		"A ban's reason is 3, 8, 9, 13, 19 or from 128 to 255, its note has at most 64 bytes, and it ends in the future.")
	problemFailed = newProblem("failed", http.StatusServiceUnavailable, "Not done",
		"It could not be done, or not everywhere: the server's log says why. Try again.")
	problemNoKeys = newProblem("no-keeper", http.StatusConflict, "Keys are kept elsewhere",
		"This server does not keep the fleet's keys: ask the one that does.")
	problemRotating = newProblem("rotating", http.StatusConflict, "A rotation is under way",
		"Wait until it is over: GET /v1/keys says how far it is.")
	problemBehind = newProblem("behind", http.StatusConflict, "The fleet is ahead of the keeper",
		"The keeper's store was lost or is an old one: restore the newest, or begin a new epoch by POST /v1/keys/emergency, which costs all tickets.")
	problemInstance = newProblem("instance", http.StatusNotFound, "No such instance",
		"The keeper serves no instance of this number: GET /v1/keys lists them.")
)

// with returns the problem of one parameter or member. field is a name of the document's.
func (p *Problem) with(field string) *Problem {
	c := *p
	c.Field = field
	return &c
}

// write answers with p.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusTooManyRequests || p.Label() == "busy" {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p) //nolint:errcheck // the caller has gone
}
