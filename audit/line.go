package audit

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"
)

// tally counts the events since the last line that were not written.
type tally struct {
	Suppressed uint64 `json:"suppressed,omitempty"`
	Lost       uint64 `json:"lost,omitempty"`
}

func (t *tally) add(u tally) {
	t.Suppressed += u.Suppressed
	t.Lost += u.Lost
}

func newLine(e Event, p pseudonymizer, t tally) line {
	m := e.Decision.mapping()
	l := line{
		Decision: e.Decision.String(),
		Time:     e.Time.UnixMilli(),
		Severity: m.severity,
		Status:   m.status,

		DispositionID: m.dispositionID,
		Message:       text(e.Detail),

		Src:      endpoint{Name: network(e.Prefix)},
		Dst:      endpoint{Service: productName},
		Metadata: newMetadata(e),
		Unmapped: unmapped{
			Scope: text(e.Scope), Platform: text(e.Platform), Build: text(e.Build),
			Part: text(e.Part), Cause: text(e.Cause), Previous: network(e.Previous), tally: t,
		},
	}
	if e.Decision == Operate && e.Cause != "" {
		l.Status = failure
	}
	l.classify(m.class, m.activity, m.activityName())
	if m.class == classAPI {
		l.call(e)
	} else {
		l.place(newWho(e, p))
	}
	if m.dispositionID == dispositionOther {
		l.DispositionName = m.label
	}
	if e.Reason != DropNone {
		l.Reason, l.StatusCode, l.StatusDetail = e.Reason.String(), e.Reason.String(), e.Reason.Describe()
	}
	return l
}

// newTally returns a line without an event that has counts only.
func newTally(now time.Time, t tally) line { return newBase(now, "tally", t) }

// newBase returns a line without an event: OCSF's Base Event.
func newBase(now time.Time, message string, t tally) line {
	l := line{Time: now.UnixMilli(), Severity: informational, Message: message, Metadata: newMetadata(Event{}), Unmapped: unmapped{tally: t}}
	l.classify(0, 0, "Unknown")
	return l
}

// classify derives the numbers that OCSF derives from class and activity.
func (l *line) classify(class, activity int, name string) {
	l.Class, l.Category, l.Activity, l.ActivityName = class, class/1000, activity, name
	l.Type = class*100 + activity
}

// place sets w in the attribute of the line's class. An Authentication line must have a user, even
// an unknown one; a Network Activity line has an actor if there is one. OCSF requires a user to
// have a name or a uid.
func (l *line) place(w who) {
	authentication := l.Class == classAuthentication
	if w.User.UID == "" && (authentication || w.User != user{}) {
		w.User.Name = "unknown"
	}
	switch {
	case authentication:
		l.who = w
	case w != who{}:
		l.Actor, l.Metadata.Profiles = actor{who: w}, []string{"security_control", "host"}
	}
}

// call fills in what OCSF requires of an API Activity line.
func (l *line) call(e Event) {
	l.Actor.App, l.API.Operation = cmp.Or(text(e.Actor), "unknown"), cmp.Or(text(e.Operation), "unknown")
	l.Src.Name = cmp.Or(l.Src.Name, "unknown")
}

func newWho(e Event, p pseudonymizer) who {
	w := who{User: user{
		UID:        p.pseudonym("subject", e.Subject),
		Domain:     text(e.Issuer),
		Credential: p.pseudonym("token", e.TokenID),
	}}
	if e.Session != 0 {
		w.Session.UID = strconv.FormatUint(uint64(e.Session), 10)
	}
	return w
}

func newMetadata(e Event) metadata {
	return metadata{
		Version:     ocsfVersion,
		Product:     product{Name: productName, Vendor: productName, Version: text(e.Version)},
		Profiles:    []string{"security_control"},
		Correlation: trace(e.Trace),
	}
}

// encode returns the line without a line feed.
func (l line) encode() []byte {
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return b
}
