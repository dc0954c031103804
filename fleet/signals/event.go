package signals

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/sallyport/sallyport/token"
)

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"
)

// meaning is what an event does.
type meaning uint8

const (
	meansNothing meaning = iota
	meansPlayer          // the player's tokens
	meansSession         // the session's, where that is known, or else the player's
	meansVerified
	meansStream
)

// meanings has the events that mean something. A type that is not here is acknowledged.
var meanings = map[string]meaning{
	caep + "session-revoked":                    meansSession,
	risc + "sessions-revoked":                   meansPlayer,
	caep + "credential-change":                  meansPlayer,
	risc + "account-disabled":                   meansPlayer,
	risc + "account-purged":                     meansPlayer,
	risc + "credential-compromise":              meansPlayer,
	risc + "account-credential-change-required": meansPlayer,
	ssf + "verification":                        meansVerified,
	ssf + "stream-updated":                      meansStream,
}

// event is what a SET says.
type event struct {
	kind    string // the last part of its type, or "other"
	means   meaning
	when    time.Time // of what it tells, not of the telling
	subject map[string]any
	payload map[string]any
}

// parse reads the claims of a SET. iat is when it was made and now is when it came.
func parse(claims []byte, iat, now time.Time) (event, *refusal) {
	var all map[string]any
	if json.Unmarshal(claims, &all) != nil { // which token has done already
		return event{}, invalid("claims")
	}
	events, _ := all["events"].(map[string]any)
	if len(events) != 1 {
		return event{}, invalid("events: there must be one event") // SSF 1.0 4.2.1
	}
	e := event{kind: "other", when: iat}
	e.subject, _ = all["sub_id"].(map[string]any)
	var ok bool
	for uri, payload := range events {
		if e.payload, ok = payload.(map[string]any); !ok {
			return event{}, invalid("events: not an object")
		}
		if e.means = meanings[uri]; e.means != meansNothing {
			e.kind = uri[strings.LastIndexByte(uri, '/')+1:]
		}
	}
	for _, t := range []any{all["toe"], e.payload["event_timestamp"]} {
		if t == nil {
			continue
		}
		if e.when, ok = date(t); !ok {
			return event{}, invalid("toe or event_timestamp: not a number of seconds since 1970")
		}
	}
	// The clock that dates events dates tokens, too: where it is ahead, the player's token is from ahead as
	// well, and good. Further ahead than any token may be there is none to refuse but those of later.
	if latest := now.Add(token.MaxLeeway); e.when.After(latest) {
		e.when = latest
	}
	if e.kind == "credential-change" && e.payload["change_type"] == "create" {
		e.means = meansNothing // a further passkey takes nothing from those that are there
	}
	return e, nil
}

// date reads a NumericDate. Drafts of CAEP had milliseconds.
func date(v any) (time.Time, bool) {
	f, ok := v.(float64)
	if ok && f >= 1e11 {
		f /= 1e3
	}
	if !ok || f < 0 || f >= 1e11 {
		return time.Time{}, false
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}
