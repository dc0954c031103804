package transport

import (
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// outages tells the audit when an issuer's keys cannot be fetched, and when they can again. It
// belongs to the first shard's turn.
type outages struct {
	told map[string]bool // issuers of which the audit knows
}

// outager is a Verifier that knows of its issuers' outages; *token.Verifier does.
type outager interface {
	Outages() []token.Outage
}

// outagesOf returns the outages that a Verifier knows of.
func outagesOf(v Verifier) []token.Outage {
	if o, ok := v.(outager); ok {
		return o.Outages()
	}
	return nil
}

// check compares the outages with those that the audit knows of. One is told of at once if there
// are no keys that are still trusted, else after outagePatience.
func (o *outages) check(s *Server, now time.Time) {
	list := outagesOf(s.config.Verifier)
	over := o.told
	o.told = nil
	for _, out := range list {
		known := over[out.Issuer]
		delete(over, out.Issuer)
		if !known && !out.Until.IsZero() && now.Sub(out.Since) < outagePatience {
			continue
		}
		if o.told == nil {
			o.told = make(map[string]bool, len(list))
		}
		if o.told[out.Issuer] = true; !known {
			alarmOfKeys(s, now, out.Issuer, detailOfOutage(&out))
		}
	}
	for issuer := range over {
		alarmOfKeys(s, now, issuer, "the issuer's keys can be fetched again")
	}
}

// detailOfOutage says since when, and what is left.
func detailOfOutage(o *token.Outage) string {
	detail := "the issuer's keys cannot be fetched since " + o.Since.UTC().Format(time.RFC3339)
	if o.Until.IsZero() {
		return detail + "; there are none"
	}
	return detail + "; those of before are good until " + o.Until.UTC().Format(time.RFC3339)
}

func alarmOfKeys(s *Server, now time.Time, issuer, detail string) {
	s.audit.Record(audit.Event{
		Time: now, Decision: audit.Alarm, Reason: audit.DropUnavailable, Issuer: issuer, Detail: detail,
	})
}
