package admintest_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/admintest"
	"github.com/sallyport/sallyport/fleet/keys"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// caller is an Identity that finds the same service at the end of each connection.
type caller identity.Permissions

func (c caller) Peer(tls.ConnectionState, ...identity.Role) (identity.Peer, error) {
	return identity.Peer{ID: "spiffe://game.example/role/operator", Role: identity.Operator, Permissions: identity.Permissions(c)}, nil
}

// everything is all permissions.
func everything() (c caller) {
	for p := identity.Permission(1); p.String() != "none"; p++ {
		c |= caller(identity.PermissionsOf(p))
	}
	return c
}

// failing is a Revoker and a Rotator that fails.
type failing struct{ err error }

func (f failing) Revoke(session.Revocation) (int, error)       { return 2, f.err }
func (f failing) Ban(session.Ban) (int, error)                 { return 2, f.err }
func (f failing) Lift(string, string) bool                     { return true }
func (f failing) Rotate(context.Context) error                 { return f.err }
func (f failing) Emergency(context.Context) (keys.Loss, error) { return keys.Loss{}, f.err }
func (f failing) Forget(context.Context, string) error         { return f.err }
func (f failing) Status() keys.Status {
	now := time.Now()
	return keys.Status{
		Fleet: "eu", Epoch: 1, Revision: 2, Phase: keys.PhaseDrain,
		Keys:      []keys.KeyStatus{{ID: "00000001", Role: keys.RoleSealing, Since: now}, {ID: "00000002", Role: keys.RoleFormer, Since: now, Until: now}},
		Instances: []keys.InstanceStatus{{Service: "spiffe://game.example/role/game-state", Instance: strings.Repeat("1", 32), Heard: now, Until: now}},
	}
}

// documented is the document, and what of it has been seen.
type documented struct {
	t      *testing.T
	v      validator.Validator
	model  *v3.Document
	seen   map[string]bool // operation and status
	labels map[string]bool // of problems
}

func newDocumented(t *testing.T, text []byte) *documented {
	t.Helper()
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithoutSecurityValidation())
	if errs != nil {
		t.Fatal(errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("no OpenAPI 3.1: %v", errs)
	}
	return &documented{t, v, &model.Model, map[string]bool{}, map[string]bool{}}
}

// operations calls f for each call of the document.
func (d *documented) operations(f func(method, path string, o *v3.Operation)) {
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method, o := range item.GetOperations().FromOldest() {
			f(strings.ToUpper(method), path, o)
		}
	}
}

// labelsOf returns the labels that the description of a response lists.
func labelsOf(r *v3.Response) []string {
	list := regexp.MustCompile(`roblems?:? ([a-z, -]+)\.`).FindStringSubmatch(r.Description)
	if list == nil {
		return nil
	}
	return strings.Split(list[1], ", ")
}

// ask makes a request and holds its answer to the document, and it to its answer: what the document
// does not permit is answered by 400, 413 or 415, and nothing else is unless lax says why.
func (d *documented) ask(h http.Handler, method, path, kind, body, lax string) (status int, label string) {
	d.t.Helper()
	request := func() *http.Request {
		var content io.Reader
		if body != "" {
			content = strings.NewReader(body)
		}
		r := httptest.NewRequestWithContext(d.t.Context(), method, path, content)
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		return r
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request())
	what := fmt.Sprintf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	answer := w.Result()
	if ok, errs := d.v.ValidateHttpResponse(request(), answer); !ok {
		d.t.Errorf("%s\nthe answer is not as documented: %v", what, errs)
	}
	permitted, errs := d.v.ValidateHttpRequest(request())
	refused := slices.Contains([]int{400, 413, 415}, w.Code)
	if lax == "" && (refused && permitted || w.Code/100 != 4 && !permitted) {
		d.t.Errorf("%s\nthe document permits the request: %v (%v)", what, permitted, errs)
	}
	kindOf, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	if kindOf == "application/problem+json" {
		p := new(admin.Problem)
		if err := json.Unmarshal(w.Body.Bytes(), p); err != nil || p.Status != w.Code {
			d.t.Errorf("%s: %v", what, err)
		}
		label = p.Label()
		d.labels[label] = true
		if row := fmt.Sprintf("| <a id=%q></a>`%s` | %d | %s. %s |\n", label, label, p.Status, p.Title, p.Detail); !strings.Contains(readDocument(d.t), row) {
			d.t.Errorf("docs/operating.md has no row %s", row)
		}
		if retry := answer.Header.Get("Retry-After"); (retry != "") != (label == "rate" || label == "busy") {
			d.t.Errorf("%s: Retry-After %q", what, retry)
		}
	}
	d.operations(func(m, template string, o *v3.Operation) {
		if p, _, _ := strings.Cut(path, "?"); m != method || !regexp.MustCompile("^"+strings.ReplaceAll(template, "{session}", "[^/]+")+"$").MatchString(p) {
			return
		}
		d.seen[o.OperationId+" "+fmt.Sprint(w.Code)] = true
		response := o.Responses.FindResponseByCode(w.Code)
		if response == nil {
			d.t.Errorf("%s: the document has no such status", what)
			return
		}
		if label != "" && !slices.Contains(labelsOf(response), label) {
			d.t.Errorf("%s: the document does not list problem %s: %q", what, label, response.Description)
		}
		if response.Content.GetOrZero(kindOf) == nil {
			d.t.Errorf("%s: the document has no %s", what, kindOf)
		}
	})
	return w.Code, label
}

// The document and the handlers say the same: each call is documented and each documented call
// exists, with its permission; each answer is one of the document's, and each documented status and
// problem occurs.
func TestDocument(t *testing.T) {
	t.Parallel()
	fleet := admintest.New(t)
	keeper := failing{}
	var drains []*admin.Drain
	api := func(change ...func(*admin.Config)) *admintest.Match {
		return fleet.Match(t, func(_ *transport.Config, c *admin.Config) {
			c.Identity, c.Rotator, c.PeerPerSecond, c.PerSecond, c.Issuer = everything(), keeper, 1000, 2000, "own"
			c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "sallyport_sessions 1\n") }) //nolint:errcheck // the answer tells
			for _, f := range change {
				f(c)
			}
			drains = append(drains, c.Drain)
		})
	}
	match := api()
	w := httptest.NewRecorder()
	match.API.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/openapi.yaml", nil))
	d := newDocumented(t, w.Body.Bytes())

	calls := map[string]string{} // by method and path
	for _, c := range match.API.(interface{ Calls() []string }).Calls() {
		words := strings.SplitN(c, " ", 3)
		calls[words[0]+" "+words[1]] = c
	}
	all := len(calls)
	examples := map[string]string{}
	rows := map[string]string{} // of docs/operating.md
	d.operations(func(method, path string, o *v3.Operation) {
		at := method + " " + path
		call, ok := calls[at]
		permission := ""
		if x := o.Extensions.GetOrZero("x-permission"); x != nil {
			permission = x.Value
		}
		status := "200"
		if o.Responses.Codes.GetOrZero("202") != nil {
			status = "202"
		}
		if want := fmt.Sprintf("%s %s %q %s", at, o.OperationId, permission, status); !ok || call != want {
			t.Errorf("%s is documented, and the handler has %q", want, call)
		}
		delete(calls, at)
		rows[at] = fmt.Sprintf("| `%s` | %s | %s |\n", at, cmp.Or(permission, "none"), o.Summary)
		if o.RequestBody != nil {
			example := o.RequestBody.Content.GetOrZero("application/json").Examples.First().Value().Value
			var v any
			if err := example.Decode(&v); err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			examples[at] = string(b)
		}
	})
	for at := range calls {
		t.Errorf("%s is not documented", at)
	}

	text := readDocument(t)
	for at, row := range rows {
		if !strings.Contains(text, row) {
			t.Errorf("docs/operating.md has no row %s", row)
		}
		delete(rows, at)
	}
	if n := strings.Count(text, "\n| `GET ") + strings.Count(text, "\n| `POST "); n != all {
		t.Errorf("docs/operating.md has %d calls, and there are %d", n, all)
	}

	// What every call may answer.
	match.Join(t, "alice")
	status, _ := d.ask(match.API, "GET", "/v1/sessions?limit=1&after=0&pseudonym="+match.Audit.Pseudonym("alice")+"&scope="+admintest.Scope, "", "", "")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	var page admin.Sessions
	w = httptest.NewRecorder()
	match.API.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/sessions", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || len(page.Sessions) != 1 {
		t.Fatal(err, w.Body)
	}
	live := page.Sessions[0].Session
	slow := api(func(c *admin.Config) { c.PeerPerSecond = 1 })
	crowded := api(func(c *admin.Config) { c.PerSecond = 1 })
	nobody := api(func(c *admin.Config) { c.Identity = caller(0) })
	useUp := func(m *admintest.Match) { // all that there is for all, and what the service has of its own
		for range 6 {
			m.API.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/v1/stats", nil))
		}
	}
	useUp(slow)
	want := func(what string, status int, label string, wantStatus int, wantLabel string) {
		t.Helper()
		if status != wantStatus || label != wantLabel {
			t.Errorf("%s: %d %q, want %d %q", what, status, label, wantStatus, wantLabel)
		}
	}
	const asJSON = "application/json; charset=utf-8"
	d.operations(func(method, template string, o *v3.Operation) {
		path, body, kind := strings.Replace(template, "{session}", live, 1), examples[method+" "+template], ""
		if method == "POST" {
			kind = asJSON
		}
		ask := func(m *admintest.Match, kind, body, lax string) (int, string) {
			return d.ask(m.API, method, path, kind, body, lax)
		}
		if template != "/v1/drain" || method != "POST" { // later
			s, l := ask(match, kind, strings.ReplaceAll(body, "00112233445566778899aabbccddeeff", live), "")
			want(o.OperationId, s, l, map[bool]int{true: 202, false: 200}[strings.HasPrefix(template, "/v1/keys/")], "")
			if o.OperationId == "kick" {
				match.Join(t, "alice")
				match.API.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/v1/sessions", nil))
			}
		}
		s, l := ask(slow, kind, body, "")
		want(o.OperationId, s, l, 429, "rate")
		useUp(crowded)
		s, l = ask(crowded, kind, body, "")
		want(o.OperationId, s, l, 503, "busy")
		if o.Extensions.GetOrZero("x-permission") != nil {
			s, l = ask(nobody, kind, body, "")
			want(o.OperationId, s, l, 403, "forbidden")
		}
		if method == "GET" {
			s, l = ask(match, asJSON, "{}", "OpenAPI cannot forbid a body")
			want(o.OperationId, s, l, 400, "body")
			s, l = d.ask(match.API, method, path+"?unknown=1", "", "", "the validator ignores parameters that it does not know")
			want(o.OperationId, s, l, 400, "query")
		} else {
			s, l = ask(match, "text/plain", body, "")
			want(o.OperationId, s, l, 415, "media-type")
			s, l = ask(match, asJSON, body[:len(body)-1]+strings.Repeat(" ", 4096)+"}", "the document cannot bound a body")
			want(o.OperationId, s, l, 413, "length")
			s, l = ask(match, asJSON, `{"unknown":1}`, "")
			want(o.OperationId, s, l, 400, "body")
		}
	})

	// What some may answer.
	standing := api(func(c *admin.Config) { c.Server = standing{} })
	full := api(func(c *admin.Config) { c.Revoker = failing{session.ErrBansFull} })
	revocations := api(func(c *admin.Config) { c.Revoker = failing{session.ErrRevocationsFull} })
	broken := api(func(c *admin.Config) { c.Revoker, c.Rotator = failing{errors.New("x")}, failing{keys.ErrStore} })
	late := api(func(c *admin.Config) { c.Revoker = failing{transport.ErrServerClosed} })
	busy := api(func(c *admin.Config) { c.Rotator = failing{keys.ErrBusy} })
	behind := api(func(c *admin.Config) { c.Rotator = failing{keys.ErrBehind} })
	unknown := api(func(c *admin.Config) { c.Rotator = failing{keys.ErrInstance} })
	elsewhere := api(func(c *admin.Config) { c.Rotator = nil })
	unnamed := api(func(c *admin.Config) { c.Identity = everything() &^ caller(identity.PermissionsOf(identity.ReadNames)) })
	closed := api()
	closed.Server.Close()
	absent := strings.Repeat("0", 32)
	for _, c := range []struct {
		m             *admintest.Match
		call, body    string
		status        int
		label, laxity string
	}{
		{match, "GET /v1/sessions/" + absent, "", 404, "absent", ""},
		{match, "GET /v1/sessions/x", "", 400, "query", ""},
		{match, "GET /v1/sessions?limit=0", "", 400, "query", ""},
		{match, "GET /v1/sessions?limit=1001", "", 400, "query", ""},
		{match, "GET /v1/sessions?limit=1&limit=1", "", 400, "query", "the validator takes the first"},
		{match, "GET /v1/sessions?after=-1", "", 400, "query", ""},
		{match, "GET /v1/sessions?after=4294967296", "", 400, "query", ""},
		{match, "GET /v1/sessions?scope=", "", 400, "query", "the validator takes an empty parameter for none"},
		{match, "GET /v1/sessions?scope=%ff", "", 400, "query", "the validator does not look at bytes"},
		{match, "GET /v1/bans?scope=m", "", 400, "query", "the validator ignores parameters that it does not know"},
		{match, "GET /v1/drain?wait=6s", "", 400, "query", "the document cannot compare durations"},
		{match, "GET /v1/drain?wait=1ms&state=draining", "", 200, "", ""},
		{match, "GET /v1/drain?wait=1&state=draining", "", 400, "query", ""},
		{match, "GET /v1/drain?state=gone", "", 400, "query", ""},
		{unnamed, "GET /v1/sessions?subject=alice", "", 403, "names", ""},
		{unnamed, "GET /v1/bans?issuer=own", "", 403, "names", ""},
		{standing, "GET /v1/sessions", "", 503, "stalled", ""},
		{standing, "GET /live", "", 200, "", ""},
		{standing, "GET /ready", "", 503, "", ""},
		{closed, "GET /v1/sessions", "", 503, "closed", ""},
		{closed, "GET /v1/sessions/" + live, "", 503, "closed", ""},
		{closed, "GET /live", "", 503, "", ""},
		{closed, "POST /v1/kick", `{"session":"` + live + `"}`, 503, "closed", ""},
		{match, "POST /v1/ban", `{"session":"` + absent + `"}`, 404, "absent", ""},
		{match, "POST /v1/ban", `{"subject":"bob","reason":2}`, 400, "ban", "a range would hide the list"},
		{match, "POST /v1/ban", `{"subject":"bob","note":"` + strings.Repeat("é", 33) + `"}`, 400, "ban", "characters are not bytes"},
		{match, "POST /v1/ban", `{"subject":"bob","until":"2100-01-01T00:00:00Z"}`, 200, "", ""},
		{match, "POST /v1/ban", `{"subject":"bob","until":"2000-01-01T00:00:00Z"}`, 400, "ban", "which time it is"},
		{match, "POST /v1/ban", `{"subject":"bob","until":"0001-01-01T00:00:00Z"}`, 400, "body", "which time it is"},
		{match, "POST /v1/ban", `{"subject":"bob","until":"2000-01-01T00:00:00Z","for":"1h"}`, 400, "body", ""},
		{match, "POST /v1/ban", `{"subject":"bob","for":"0"}`, 400, "body", "the document does not compare durations"},
		{match, "POST /v1/ban", `{"subject":"bob","session":"` + live + `"}`, 400, "target", ""},
		{match, "POST /v1/ban", `{"session":"` + live + `","issuer":"own"}`, 400, "target", ""},
		{match, "POST /v1/ban", `{}`, 400, "target", ""},
		{full, "POST /v1/ban", `{"subject":"bob"}`, 503, "full", ""},
		{broken, "POST /v1/ban", `{"subject":"bob"}`, 503, "failed", ""},
		{late, "POST /v1/ban", `{"subject":"bob"}`, 503, "closed", ""},
		{late, "POST /v1/revoke", `{"subject":"bob"}`, 503, "closed", ""},
		{match, "POST /v1/lift", `{"issuer":"own"}`, 400, "target", ""},
		{match, "POST /v1/kick", `{"session":"` + live + `","reason":2}`, 400, "body", ""},
		{match, "POST /v1/kick", `{"session":"` + live + `","detail":"a\nb"}`, 400, "body", "what prints is not in JSON Schema"},
		{match, "POST /v1/kick", `{"session":"x"}`, 400, "body", ""},
		{match, "POST /v1/revoke", `{"session":"x"}`, 400, "body", ""},
		{match, "POST /v1/revoke", `{"build":"1","issuer":"own"}`, 400, "target", ""},
		{match, "POST /v1/revoke", `{"build":"1","subject":"a"}`, 400, "target", ""},
		{match, "POST /v1/revoke", `{"build":"1","time":"2000-01-01T00:00:00Z"}`, 400, "body", "of a subject only"},
		{match, "POST /v1/revoke", `{"subject":"bob","time":"yesterday"}`, 400, "body", ""},
		{match, "POST /v1/revoke", `{"subject":"bob","time":"2100-01-01T00:00:00Z"}`, 400, "body", "which time it is"},
		{match, "POST /v1/lift?subject=alice", `{"subject":"bob"}`, 400, "query", "the validator ignores parameters that it does not know"},
		{match, "GET /v1/bans?after=1", "", 400, "query", ""},
		{revocations, "POST /v1/revoke", `{"subject":"bob"}`, 503, "full", ""},
		{match, "POST /v1/drain", `{"within":"-1s"}`, 400, "body", ""},
		{match, "POST /v1/drain", `{"within":"25h"}`, 400, "body", "the document does not compare durations"},
		{busy, "POST /v1/keys/rotate", `{}`, 409, "rotating", ""},
		{behind, "POST /v1/keys/rotate", `{}`, 409, "behind", ""},
		{elsewhere, "POST /v1/keys/rotate", `{}`, 409, "no-keeper", ""},
		{elsewhere, "POST /v1/keys/emergency", `{}`, 409, "no-keeper", ""},
		{elsewhere, "POST /v1/keys/forget", `{"instance":"` + absent + `"}`, 409, "no-keeper", ""},
		{elsewhere, "GET /v1/keys", "", 200, "", ""},
		{broken, "POST /v1/keys/rotate", `{}`, 503, "failed", ""},
		{unknown, "POST /v1/keys/forget", `{"instance":"` + absent + `"}`, 404, "instance", ""},
		{match, "POST /v1/keys/forget", `{"instance":"x"}`, 400, "body", ""},
		{match, "POST /v1/drain", `{"to":"match-2"}`, 400, "body", ""},
		{match, "POST /v1/drain", `{"to":"127.1:7777"}`, 400, "body", "the document does not read addresses"},
		{match, "POST /v1/drain", `{"within":"1h","to":"match-2.example.com:7777"}`, 202, "", ""},
		{match, "POST /v1/drain", `{"within":"1h"}`, 202, "", ""},
		{match, "GET /ready", "", 503, "", ""},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		kind := ""
		if method == "POST" {
			kind = asJSON
		}
		s, l := d.ask(c.m.API, method, path, kind, c.body, c.laxity)
		want(c.call+" "+c.body, s, l, c.status, c.label)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/lift", strings.NewReader(examples["POST /v1/lift"]))
	r.Header.Set("Content-Type", asJSON)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w = httptest.NewRecorder()
	match.API.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !bytes.Contains(w.Body.Bytes(), []byte("#cross-origin")) {
		t.Errorf("another site's page: %d %s", w.Code, w.Body)
	}
	d.labels["cross-origin"] = true

	d.operations(func(method, path string, o *v3.Operation) {
		for status, r := range o.Responses.Codes.FromOldest() {
			switch at := o.OperationId + " " + status; {
			case d.seen[at], status == "403" && o.Extensions.GetOrZero("x-permission") == nil:
			default:
				t.Errorf("%s is documented and has not occurred", at)
			}
			for _, label := range labelsOf(r) {
				if !d.labels[label] {
					t.Errorf("%s: problem %s is documented and has not occurred", o.OperationId, label)
				}
			}
		}
	})
	if n := strings.Count(text, "\n| <a id="); n != len(d.labels) {
		t.Errorf("docs/operating.md has %d problems, and %d have occurred: %q", n, len(d.labels), slices.Collect(maps.Keys(d.labels)))
	}
}

// readDocument returns docs/operating.md.
func readDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// standing is a server that takes no turn.
type standing struct{ admin.Server }

func (standing) Stats() transport.Stats { return transport.Stats{} }
func (standing) Bans(int) []session.Ban { return nil }

func (standing) Visit(ctx context.Context, _ func(*transport.Player) bool) error {
	<-ctx.Done()
	return ctx.Err()
}
