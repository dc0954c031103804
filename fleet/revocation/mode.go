package revocation

import "strconv"

// Mode is what a server does while a publisher that it needs is silent for longer than
// SubscriberConfig.Stale. Every mode is audited, logged and shown in Status. In all of them a server that
// has started while such a publisher is silent lifts no ban that it holds before it has heard from it.
type Mode uint8

// The modes.
const (
	AdmitNobodyNew Mode = iota // players stay, renew and resume; new sessions are refused as unavailable
	KeepPlaying                // nothing changes
	EndSessions                // as AdmitNobodyNew, and SubscriberConfig.End is called
)

// String returns the mode in words.
func (m Mode) String() string {
	switch m {
	case AdmitNobodyNew:
		return "admit nobody new"
	case KeepPlaying:
		return "keep playing"
	case EndSessions:
		return "end"
	}
	return "mode " + strconv.Itoa(int(m))
}
