package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// virtual is the presence of a UDP-only player. It never changes.
type virtual struct {
	userID, sessionID, node, username string
	reason                            runtime.PresenceReason
}

func (v *virtual) GetUserId() string                 { return v.userID }
func (v *virtual) GetSessionId() string              { return v.sessionID }
func (v *virtual) GetNodeId() string                 { return v.node }
func (v *virtual) GetUsername() string               { return v.username }
func (v *virtual) GetHidden() bool                   { return false }
func (v *virtual) GetPersistence() bool              { return false }
func (v *virtual) GetStatus() string                 { return "" }
func (v *virtual) GetReason() runtime.PresenceReason { return v.reason }

// newVirtual gives m a presence under a new session id, which no socket has.
func newVirtual(m *member) *virtual {
	return &virtual{
		userID: m.userID, sessionID: newUUID(), node: m.match.node, username: m.profile.username,
		reason: runtime.PresenceReasonJoin,
	}
}

// leaving is the presence for MatchLeave.
func (v *virtual) leaving(reason session.Reason) *virtual {
	gone := *v
	gone.reason = runtime.PresenceReasonDisconnect
	if reason == session.ReasonLeft {
		gone.reason = runtime.PresenceReasonLeave
	}
	return &gone
}

// newUUID is random (RFC 9562 section 5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// attempt is the context of a UDP-only player's MatchJoinAttempt, with the values that Nakama gives
// to others.
type attempt struct {
	context.Context
	member    *member
	sessionID string
}

func (a attempt) Value(key any) any {
	switch key {
	case runtime.RUNTIME_CTX_USER_ID:
		return a.member.userID
	case runtime.RUNTIME_CTX_USERNAME:
		return a.member.profile.username
	case runtime.RUNTIME_CTX_VARS:
		return a.member.profile.vars
	case runtime.RUNTIME_CTX_USER_SESSION_EXP:
		return a.member.profile.expires
	case runtime.RUNTIME_CTX_SESSION_ID:
		return a.sessionID
	case runtime.RUNTIME_CTX_CLIENT_IP:
		return a.member.player.Addr().Addr().Unmap().String()
	}
	return a.Context.Value(key)
}
