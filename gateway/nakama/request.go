package nakama

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The words of a scope: the match, and whether the client wants the senders of broadcasts and the
// presences. A client that states them in its HELLO's scope can be resumed on another gateway, where
// the metadata is not known.
const (
	matchWord     = "match:"
	senderWord    = "sender"
	presencesWord = "presences"
)

// request is the JSON object in the metadata of HELLO; the package comment explains the fields.
type request struct {
	MatchID   string            `json:"match_id"`
	Metadata  map[string]string `json:"metadata"`
	Sender    bool              `json:"sender"`
	Presences bool              `json:"presences"`
}

// parseRequest reads the metadata of HELLO.
func parseRequest(b []byte) (r request, err error) {
	if json.Unmarshal(b, &r) != nil || !matchID(r.MatchID) {
		return r, errRequest
	}
	size := 0
	for key, value := range r.Metadata {
		size += len(key) + len(value)
	}
	if size > maxMetadata {
		return r, errRequest
	}
	return r, nil
}

// parseScope reads the scope that a client asks for.
func parseScope(scope string) (r request, ok bool) {
	match, rest, _ := strings.Cut(scope, " ")
	id, ok := strings.CutPrefix(match, matchWord)
	r.MatchID = id
	for word := range strings.FieldsSeq(rest) {
		switch word {
		case senderWord:
			r.Sender = true
		case presencesWord:
			r.Presences = true
		default:
			return r, false
		}
	}
	return r, ok && matchID(id)
}

// allows reports whether the scope of an identity token is for a match: it is for any unless the issuer
// has bound it, by a word of it or by several.
func allows(own, match string) bool {
	bound := false
	for word := range strings.FieldsSeq(own) {
		if id, ok := strings.CutPrefix(word, matchWord); ok {
			if bound = true; id == match {
				return true
			}
		}
	}
	return !bound
}

// matchID reports whether id is a UUID, a dot and the name of a node, or nothing of a relayed match.
func matchID(id string) bool { return len(id) <= maxMatchID && matchForm.MatchString(id) }

var matchForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\.[0-9A-Za-z._-]*$`)

// authoritative reports whether a match has a handler: of others Nakama only relays what players say.
func (r *request) authoritative() bool { return !strings.HasSuffix(r.MatchID, ".") }

// cut shortens text to what a CLOSE carries, between characters.
func cut(text string) string {
	if len(text) <= maxDetail {
		return text
	}
	n := maxDetail
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
