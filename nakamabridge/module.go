package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"context"
	"maps"
	"slices"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
)

// Module returns nk with the methods that put a player out reaching players without a socket, too:
//
//	SessionDisconnect  ends the UDP session of the presence with this session id
//	SessionLogout      ends all UDP sessions of the user
//	UsersBanId         ends all UDP sessions of the users
//	AccountDeleteId    ends all UDP sessions of the user
//
// The audit has a ban of UsersBanId, and its end by UsersUnbanId, whether or not the user is here.
//
// Nakama takes an id in any form of a UUID, and so do these.
//
// Nakama has no hook for these calls, so on its own nk they leave such a player in the match: after
// SessionDisconnect and SessionLogout until its token ends, after a ban or a deletion until the
// accounts are looked at next. Match handlers behind the Bridge are given such an nk; RPCs and hooks
// of the game have to take it from here.
func (b *Bridge) Module(nk runtime.NakamaModule) runtime.NakamaModule { return &module{nk, b} }

// module is a NakamaModule that knows of UDP.
type module struct {
	runtime.NakamaModule

	bridge *Bridge
}

// SessionDisconnect implements runtime.NakamaModule. A socket's UDP session ends with the socket.
func (m *module) SessionDisconnect(ctx context.Context, sessionID string, reason ...runtime.PresenceReason) error {
	if err := m.NakamaModule.SessionDisconnect(ctx, sessionID, reason...); err != nil {
		return err
	}
	why := runtime.PresenceReasonDisconnect
	if len(reason) > 0 {
		why = reason[0]
	}
	for _, match := range m.bridge.running() {
		match.seats.part(canonical(sessionID), why)
	}
	return nil
}

// SessionLogout implements runtime.NakamaModule.
func (m *module) SessionLogout(userID, token, refreshToken string) error {
	err := m.NakamaModule.SessionLogout(userID, token, refreshToken)
	if err == nil {
		m.bridge.Revoke(userID)
	}
	return err
}

// UsersBanId implements runtime.NakamaModule.
func (m *module) UsersBanId(ctx context.Context, userIDs []string) error {
	err := m.NakamaModule.UsersBanId(ctx, userIDs)
	if err == nil {
		for _, userID := range userIDs {
			m.bridge.audit(audit.Ban, userID, "account banned by the game")
			m.bridge.Revoke(userID)
		}
	}
	return err
}

// UsersUnbanId implements runtime.NakamaModule.
func (m *module) UsersUnbanId(ctx context.Context, userIDs []string) error {
	err := m.NakamaModule.UsersUnbanId(ctx, userIDs)
	if err == nil {
		for _, userID := range userIDs {
			m.bridge.audit(audit.Lift, userID, "account unbanned by the game")
		}
	}
	return err
}

// AccountDeleteId implements runtime.NakamaModule.
func (m *module) AccountDeleteId(ctx context.Context, userID string, recorded bool) error {
	err := m.NakamaModule.AccountDeleteId(ctx, userID, recorded)
	if err == nil {
		m.bridge.Revoke(userID)
	}
	return err
}

// running returns the matches.
func (b *Bridge) running() []*match {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.matches))
}
