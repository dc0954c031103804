package token

import (
	"slices"
	"strings"
	"time"
)

// Outage is an issuer whose key set cannot be fetched.
type Outage struct {
	Issuer string    `json:"issuer"`         // Profile.Name, as in Claims.Issuer
	Since  time.Time `json:"since"`          // the first of the fetches that have failed, without one that succeeded since
	Until  time.Time `json:"until,omitzero"` // keys that were fetched before are trusted until then; zero if there are none
}

// Outages returns the issuers whose RemoteKeys cannot be fetched now, in the order of their names;
// nil if there are none. It waits for nothing.
func (v *Verifier) Outages() (list []Outage) {
	for _, p := range v.profiles {
		list = p.outage(list)
	}
	if v.unnamed != nil {
		list = v.unnamed.outage(list)
	}
	slices.SortFunc(list, func(a, b Outage) int { return strings.Compare(a.Issuer, b.Issuer) })
	return list
}

// outage appends the outage of p's key set, if there is one.
func (p *Profile) outage(list []Outage) []Outage {
	keys, ok := p.Keys.(*RemoteKeys)
	if !ok {
		return list
	}
	s := keys.Stats()
	if s.Failing.IsZero() {
		return list
	}
	o := Outage{Issuer: p.Name, Since: s.Failing}
	if s.Keys > 0 {
		o.Until = s.Fetched.Add(keys.config.MaxAge)
	}
	return append(list, o)
}
