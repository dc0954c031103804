package admin

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/fleet/identity"
)

// route is one call of the API. openapi.yaml has the same calls; a test holds the two together.
type route struct {
	method, path string
	operation    string                      // of the document, and of the audit's lines
	permission   identity.Permission         // zero: any service that may do something
	match        bool                        // it is about the match server of this program
	fleet        bool                        // a Publisher does it, too
	status       int                         // when it is done
	serve        func(*call) (any, *Problem) // an http.Handler writes the answer itself
}

// sessionPath is the path of one session, with its name behind it.
const sessionPath = "/v1/sessions/"

// routes are the calls of the API. Whatever is not among them is refused like what the caller may
// not do, a wrong method too.
func (a *api) routes() []route {
	const get, post, ok = http.MethodGet, http.MethodPost, http.StatusOK
	return []route{
		{get, "/v1/sessions", "listSessions", identity.ReadSessions, true, false, ok, a.listSessions},
		{get, sessionPath + "{session}", "getSession", identity.ReadSessions, true, false, ok, a.getSession},
		{get, "/v1/stats", "getStats", identity.ReadStats, true, false, ok, a.getStats},
		{get, "/metrics", "getMetrics", identity.ReadMetrics, true, false, ok, a.getMetrics},
		{post, "/v1/revoke", "revoke", identity.Revoke, true, true, ok, a.revoke},
		{get, "/v1/bans", "listBans", identity.ReadSessions, true, false, ok, a.listBans},
		{post, "/v1/ban", "ban", identity.Ban, true, true, ok, a.ban},
		{post, "/v1/lift", "lift", identity.Ban, true, true, ok, a.lift},
		{post, "/v1/kick", "kick", identity.Kick, true, false, ok, a.kick},
		{get, "/v1/drain", "getDrain", identity.ReadStats, true, false, ok, a.getDrain},
		{post, "/v1/drain", "drain", identity.Drain, true, false, http.StatusAccepted, a.drain},
		{get, "/v1/keys", "getKeys", identity.ReadKeys, false, false, ok, a.getKeys},
		{post, "/v1/keys/rotate", "rotateKeys", identity.RotateKeys, false, false, http.StatusAccepted, a.rotateKeys},
		{post, "/v1/keys/emergency", "dropKeys", identity.RotateKeys, false, false, http.StatusAccepted, a.dropKeys},
		{post, "/v1/keys/forget", "forgetInstance", identity.RotateKeys, false, false, http.StatusAccepted, a.forgetInstance},
		{get, "/live", "live", 0, true, false, ok, a.checkHealth},
		{get, "/ready", "ready", 0, true, false, ok, a.checkHealth},
		{get, "/openapi.yaml", "document", 0, false, false, ok, a.getDocument},
	}
}

// Calls returns the calls that there are, each as method, path, operation, permission and status.
// The test that holds them to the document is in another package, so that no fuzz target here is
// linked with what validates documents.
func (a *api) Calls() (all []string) {
	for _, r := range a.table {
		all = append(all, fmt.Sprintf("%s %s %s %q %d", r.method, r.path, r.operation, strings.TrimPrefix(r.permission.String(), "none"), r.status))
	}
	return all
}

// find returns the call that a request asks for, nil if there is none. A path is compared as it
// came: one with escapes, dots or a slash too many is that of no call.
func (a *api) find(r *http.Request) (found *route, name string) {
	path := r.URL.Path
	if r.URL.RawPath != "" {
		return nil, ""
	}
	if rest, ok := strings.CutPrefix(path, sessionPath); ok && rest != "" && !strings.Contains(rest, "/") {
		path, name = sessionPath+"{session}", rest
	}
	return a.table[r.Method+" "+path], name
}
