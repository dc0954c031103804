package signals

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Subject is a subject identifier (RFC 9493) of a format that only the operator can interpret.
type Subject struct {
	Format  string            // "email", "phone_number", "account", "did", "uri", "jwt_id"
	Members map[string]string // its members that are texts, without format
}

// about returns whom an event is about. No records and no refusal mean nobody of ours.
func (t *Transmitter) about(e event) ([]revocation.Record, *refusal) {
	s := e.subject
	if s == nil {
		return nil, invalid("sub_id: missing")
	}
	var session map[string]any
	if s["format"] == "complex" {
		session, _ = s["session"].(map[string]any)
		s, _ = s["user"].(map[string]any)
	}
	if session != nil && t.Sessions && e.means == meansSession {
		return t.signIn(session, s)
	}
	if s == nil {
		return nil, invalid("sub_id: names no user, and no session that this receiver knows")
	}
	players, refused := t.players(s)
	if refused != nil {
		return nil, refused
	}
	var records []revocation.Record
	for _, p := range players {
		records = append(records, revocation.Record{Kind: revocation.KindSubject, Issuer: p.issuer, Value: p.subject, IssuedBy: e.when})
	}
	return records, nil
}

// player is somebody as sessions name him.
type player struct{ issuer, subject string }

// players returns the players that a subject of a session or a user is, which are several if it has
// aliases at several issuers; nobody and no refusal mean nobody of ours.
func (t *Transmitter) players(s map[string]any) (found []player, refused *refusal) {
	list := []any{s}
	if s["format"] == "aliases" {
		list, _ = s["identifiers"].([]any)
		if len(list) == 0 || len(list) > maxAliases {
			return nil, invalid("sub_id: aliases have no identifiers, or too many")
		}
	}
	for _, one := range list {
		s, _ := one.(map[string]any)
		issuer, subject, why := t.player(s)
		switch p := (player{issuer, subject}); {
		case why != nil:
			refused = why
		case subject != "" && !slices.Contains(found, p):
			found = append(found, p)
		}
	}
	if found != nil {
		return found, nil // that an alias is of a kind that nobody here knows takes nothing from the others
	}
	return nil, refused
}

// signIn returns the sign-in that a session of a complex subject is. Its issuer is the user's.
func (t *Transmitter) signIn(session, user map[string]any) ([]revocation.Record, *refusal) {
	issuer := t.Opaque
	if user != nil {
		players, refused := t.players(user)
		if refused != nil || len(players) == 0 {
			return nil, refused
		}
		issuer = players[0].issuer
	}
	id, ok := text(session["id"])
	if session["format"] != "opaque" || !ok || issuer == "" {
		return nil, invalid("sub_id: the session is no opaque id, or nobody says of which issuer")
	}
	return []revocation.Record{{Kind: revocation.KindSignIn, Issuer: issuer, Value: id}}, nil
}

// player returns the player that a simple subject is, or no subject for somebody who is not ours.
func (t *Transmitter) player(s map[string]any) (issuer, subject string, refused *refusal) {
	format, _ := s["format"].(string)
	switch format {
	case "iss_sub":
		iss, _ := s["iss"].(string)
		sub, ok := text(s["sub"])
		if issuer = t.Players[iss]; issuer == "" || !ok {
			return "", "", invalid("sub_id: the transmitter may not speak of that issuer, or sub is missing")
		}
		return issuer, sub, nil
	case "opaque":
		id, ok := text(s["id"])
		if t.Opaque == "" || !ok {
			return "", "", invalid("sub_id: opaque ids of this transmitter are not expected")
		}
		return t.Opaque, id, nil
	}
	if t.Map == nil || !slices.Contains([]string{"email", "phone_number", "account", "did", "uri", "jwt_id"}, format) {
		return "", "", invalid("sub_id: this receiver knows no players by subjects of that format")
	}
	members := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if v, ok := text(s[name]); ok && name != "format" {
			members[name] = v
		}
	}
	issuer, subject, ok := t.Map(Subject{format, members})
	if !ok {
		return "", "", nil
	}
	if !slices.Contains(slices.Collect(maps.Values(t.Players)), issuer) {
		return "", "", invalid("sub_id: Map names an issuer that the transmitter may not speak of")
	}
	return issuer, subject, nil
}

// text returns v if it is a text that a token could have, too.
func text(v any) (string, bool) {
	s, ok := v.(string)
	return s, ok && s != "" && len(s) <= maxText && !strings.ContainsFunc(s, unicode.IsControl)
}
