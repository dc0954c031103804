package statuspage

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/session"
)

// AdminHeader must come with a POST, with any value: a form or a link of a page from elsewhere
// cannot send it.
const AdminHeader = "Sallyport-Admin"

// actions are the POSTs.
type actions struct{ config Config }

// request is the body of a POST.
type request struct {
	Session uint32 `json:"session"`
	Subject string `json:"subject"`
	TokenID string `json:"token_id"`
	Issuer  string `json:"issuer"`
	For     string `json:"for"`
	Reason  uint8  `json:"reason"`
	Note    string `json:"note"`
}

// Errors whose text is the answer, with status 400.
var (
	errRequest = errors.New(`give exactly one of "session", "subject" and "token_id", the last two with "issuer"`)
	errFor     = errors.New(`"for" must be a duration such as "24h", of a ban only`)
	errBanOnly = errors.New(`"reason" and "note" are of a ban only`)
	errPlayer  = errors.New(`give "session", or "subject" with "issuer"`)
)

// errGone is the answer with status 404 to a ban that would ban nobody.
var errGone = errors.New(`no live session has this id, so nobody is banned: give "subject" with "issuer"`)

// serve returns a handler that acts, if the request may.
func (a *actions) serve(act func(request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status, why := foreign(r); status != 0 {
			http.Error(w, why, status)
			return
		}
		if a.config.Authorize(r) != nil {
			http.Error(w, "not permitted", http.StatusForbidden)
			return
		}
		req, err := readRequest(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if req.Issuer == "" {
			req.Issuer = a.config.Issuer
		}
		result, err := act(req)
		switch {
		case errors.Is(err, errRequest), errors.Is(err, errFor), errors.Is(err, errBanOnly), errors.Is(err, errPlayer),
			errors.Is(err, session.ErrBan):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case errors.Is(err, errGone):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		default:
			writeJSON(w, result)
		}
	}
}

// foreign returns the status and the reason with which to refuse a request that another site's page
// may have made; status 0 means that none can have.
func foreign(r *http.Request) (status int, why string) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return http.StatusForbidden, "another site may not act here"
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
		return request{}, errRequest
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return request{}, errRequest
	}
	return req, nil
}

// ended is the answer to a revocation or a ban: how many sessions it has ended.
type ended struct {
	Ended int `json:"ended"`
}

// revoke is POST /revoke.
func (a *actions) revoke(req request) (any, error) {
	one, subject, id := req.Session != 0, req.Subject != "", req.TokenID != ""
	r := session.Revocation{Kind: session.RevokeSubject, Issuer: req.Issuer, Value: req.Subject}
	switch {
	case req.For != "":
		return nil, errFor
	case req.Reason != 0, req.Note != "":
		return nil, errBanOnly
	case one && !subject && !id:
		if a.config.Revoker.RevokeSession(req.Session) {
			return ended{1}, nil
		}
		return ended{0}, nil
	case id && !one && !subject && req.Issuer != "":
		r.Kind, r.Value = session.RevokeToken, req.TokenID
	case !subject || one || id || req.Issuer == "":
		return nil, errRequest
	}
	n, err := a.config.Revoker.Revoke(r)
	return ended{n}, err
}

// ban is POST /ban.
func (a *actions) ban(req request) (any, error) {
	b := session.Ban{Issuer: req.Issuer, Subject: req.Subject, Reason: session.Reason(req.Reason), Note: req.Note}
	switch {
	case req.TokenID != "", (req.Session == 0) == (req.Subject == ""), b.Issuer == "" && req.Session == 0:
		return nil, errPlayer
	case req.Session != 0:
		s, ok := a.config.Revoker.Session(req.Session)
		if !ok {
			return nil, errGone
		}
		b.Issuer, b.Subject = s.Issuer(), s.Subject()
	}
	if req.For != "" {
		d, err := time.ParseDuration(req.For)
		if err != nil || d <= 0 {
			return nil, errFor
		}
		b.Until = time.Now().Add(d)
	}
	n, err := a.config.Revoker.Ban(b)
	return ended{n}, err
}

// lift is POST /lift.
func (a *actions) lift(req request) (any, error) {
	if req.Subject == "" || req.Issuer == "" || req.Session != 0 || req.TokenID != "" || req.For != "" {
		return nil, errPlayer
	}
	if req.Reason != 0 || req.Note != "" {
		return nil, errBanOnly
	}
	return map[string]bool{"lifted": a.config.Revoker.Lift(req.Issuer, req.Subject)}, nil
}
