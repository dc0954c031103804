package audit

import "github.com/sallyport/sallyport/internal/auditchain"

// line is the JSON of one event: OCSF's attributes by their names, preceded by decision and reason.
// All of its strings are short and safe to display.
type line struct {
	Decision string `json:"decision,omitempty"` // empty in a line that holds a tally only
	Reason   string `json:"reason,omitempty"`
	Time     int64  `json:"time"` // Unix ms

	Class        int    `json:"class_uid"`
	Category     int    `json:"category_uid"`
	Activity     int    `json:"activity_id"`
	ActivityName string `json:"activity_name"`
	Type         int    `json:"type_uid"`
	Severity     int    `json:"severity_id"`

	Status          int    `json:"status_id"`
	StatusCode      string `json:"status_code,omitempty"`
	StatusDetail    string `json:"status_detail,omitempty"`
	DispositionID   int    `json:"disposition_id"`
	DispositionName string `json:"disposition,omitempty"`
	Message         string `json:"message,omitempty"`

	who
	Actor    actor    `json:"actor,omitzero"`
	API      api      `json:"api,omitzero"`
	Src      endpoint `json:"src_endpoint,omitzero"`
	Dst      endpoint `json:"dst_endpoint,omitzero"`
	Metadata metadata `json:"metadata"`
	Unmapped unmapped `json:"unmapped,omitzero"`
}

// who identifies the player: it is part of an Authentication line itself, and the actor of a Network
// Activity line. An API Activity line has none: its actor is a service.
type who struct {
	User    user    `json:"user,omitzero"`
	Session session `json:"session,omitzero"`
}

// actor is who has caused a line: a player, or a service.
type actor struct {
	who
	App string `json:"app_uid,omitempty"`
}

type api struct {
	Operation string `json:"operation"`
}

type user struct {
	Name       string `json:"name,omitempty"` // "unknown" where there is no UID
	UID        string `json:"uid,omitempty"`
	Domain     string `json:"domain,omitempty"`
	Credential string `json:"credential_uid,omitempty"`
}

type session struct {
	UID string `json:"uid"`
}

type endpoint struct {
	Name    string `json:"name,omitempty"`
	Service string `json:"svc_name,omitempty"`
}

type metadata struct {
	Version     string   `json:"version"`
	Product     product  `json:"product"`
	Profiles    []string `json:"profiles"`
	Correlation string   `json:"correlation_uid,omitempty"`
	Sequence    uint64   `json:"sequence,omitempty"` // of a chain
}

type product struct {
	Name    string `json:"name"`
	Vendor  string `json:"vendor_name"`
	Version string `json:"version,omitempty"`
}

type unmapped struct {
	Scope    string `json:"scope,omitempty"`
	Platform string `json:"platform,omitempty"`
	Build    string `json:"build,omitempty"`
	Cause    string `json:"cause,omitempty"`
	Part     string `json:"part,omitempty"`
	Previous string `json:"previous,omitempty"`
	tally
	Chain *auditchain.Link `json:"chain,omitempty"` // last, as the signature of a head has to be
}
