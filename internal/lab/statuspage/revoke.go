package statuspage

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/sallyport/sallyport/session"
)

// AdminHeader must come with a revocation, with any value: a form or a link of a foreign page cannot send it.
const AdminHeader = "Sallyport-Admin"

// Revoker ends sessions, as a transport.Server does. It is safe for concurrent use.
type Revoker interface {
	RevokeSession(id uint32) bool
	Revoke(r session.Revocation) (ended int, err error)
}

// revocation is POST /revoke.
type revocation struct {
	revoker Revoker
	issuer  string
}

// request names exactly one of a session, a subject and a token.
type request struct {
	Session uint32 `json:"session"`
	Subject string `json:"subject"`
	TokenID string `json:"token_id"`
	Issuer  string `json:"issuer"`
}

var errRequest = errors.New(`give exactly one of "session", "subject" and "token_id", the last two with "issuer"`)

func (rv *revocation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, why := foreign(r); status != 0 {
		http.Error(w, why, status)
		return
	}
	req, err := readRequest(http.MaxBytesReader(w, r.Body, maxRevoke))
	if err != nil {
		http.Error(w, errRequest.Error(), http.StatusBadRequest)
		return
	}
	n, err := rv.revoke(req)
	switch {
	case errors.Is(err, errRequest):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		writeJSON(w, map[string]int{"revoked": n})
	}
}

// foreign returns the status and the reason with which to refuse a request that another site's page
// may have made; status 0 means that none can have.
func foreign(r *http.Request) (status int, why string) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return http.StatusForbidden, "another site may not revoke"
	}
	if r.Header.Get(AdminHeader) == "" {
		return http.StatusForbidden, "send the header " + AdminHeader
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, "send application/json"
	}
	return 0, ""
}

// readRequest reads one JSON object, of nothing but what a request has.
func readRequest(body io.Reader) (request, error) {
	var req request
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		return request{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return request{}, errRequest
	}
	return req, nil
}

// revoke returns how many live sessions it has ended.
func (rv *revocation) revoke(req request) (int, error) {
	if req.Issuer == "" {
		req.Issuer = rv.issuer
	}
	one, subject, id := req.Session != 0, req.Subject != "", req.TokenID != ""
	switch {
	case one && !subject && !id:
		if rv.revoker.RevokeSession(req.Session) {
			return 1, nil
		}
		return 0, nil
	case subject && !one && !id && req.Issuer != "":
		return rv.revoker.Revoke(session.Revocation{Kind: session.RevokeSubject, Issuer: req.Issuer, Value: req.Subject})
	case id && !one && !subject && req.Issuer != "":
		return rv.revoker.Revoke(session.Revocation{Kind: session.RevokeToken, Issuer: req.Issuer, Value: req.TokenID})
	}
	return 0, errRequest
}
