package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/session"
)

// virtual is the presence of a UDP-only player. It never changes. Its fields and their order are
// those of Nakama's own presences, so that a handler that encodes one, as JSON or by "%+v", gets the
// same.
type virtual struct {
	Node, UserID, SessionID, Username string
	Reason                            runtime.PresenceReason
}

func (v *virtual) GetUserId() string                 { return v.UserID }
func (v *virtual) GetSessionId() string              { return v.SessionID }
func (v *virtual) GetNodeId() string                 { return v.Node }
func (v *virtual) GetUsername() string               { return v.Username }
func (v *virtual) GetHidden() bool                   { return false }
func (v *virtual) GetPersistence() bool              { return false }
func (v *virtual) GetStatus() string                 { return "" }
func (v *virtual) GetReason() runtime.PresenceReason { return v.Reason }

// newVirtual gives m a presence under a new session id, which no socket has. Nakama sets no reason
// before a player leaves.
func newVirtual(m *member) *virtual {
	return &virtual{UserID: m.userID, SessionID: newUUID(), Node: m.match.node, Username: m.profile.username}
}

// leaving is the presence for MatchLeave. Its reason is Leave for a player who has left or was
// kicked by the match, the one given to SessionDisconnect, and otherwise Disconnect.
func (v *virtual) leaving(m *member, reason session.Reason) *virtual {
	gone := *v
	switch parting := m.parting.Load(); {
	case parting != nil:
		gone.Reason = *parting
	case reason == session.ReasonLeft:
		gone.Reason = runtime.PresenceReasonLeave
	default:
		gone.Reason = runtime.PresenceReasonDisconnect
	}
	return &gone
}

// newUUID is random (RFC 9562 section 5.4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return formatUUID(b)
}

// formatUUID writes a UUID as Nakama does.
func formatUUID(b [16]byte) string {
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// canonical returns the id of a user or a session as Nakama writes it, which takes it in any form of a UUID:
// with capitals, without hyphens, in braces, as a URN.
func canonical(id string) string {
	bare := strings.TrimPrefix(id, "urn:uuid:")
	if inner, ok := strings.CutPrefix(bare, "{"); ok {
		bare, _ = strings.CutSuffix(inner, "}")
	}
	b, err := hex.DecodeString(strings.ReplaceAll(bare, "-", ""))
	if err != nil || len(b) != 16 {
		return id
	}
	return formatUUID([16]byte(b))
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
		if a.member.profile.vars != nil {
			return a.member.profile.vars
		}
	case runtime.RUNTIME_CTX_USER_SESSION_EXP:
		return a.member.profile.expires
	case runtime.RUNTIME_CTX_SESSION_ID:
		return a.sessionID
	case runtime.RUNTIME_CTX_CLIENT_IP:
		return a.member.player.Addr().Addr().Unmap().String()
	case runtime.RUNTIME_CTX_CLIENT_PORT:
		return strconv.Itoa(int(a.member.player.Addr().Port()))
	}
	return a.Context.Value(key)
}
