package nakamabridge

//lint:file-ignore ST1003 The names of methods are Nakama's.

import (
	"context"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"
)

// calls is a NakamaModule that records what it is asked, knows some matches, and may fail.
type calls struct {
	runtime.NakamaModule

	log     []string
	matches map[string]bool
	fail    error
}

func (c *calls) MatchGet(_ context.Context, id string) (*api.Match, error) {
	if c.matches[id] {
		return &api.Match{MatchId: id}, c.fail
	}
	return nil, c.fail
}

func (c *calls) SessionDisconnect(_ context.Context, sessionID string, _ ...runtime.PresenceReason) error {
	c.log = append(c.log, "disconnect "+sessionID)
	return c.fail
}

func (c *calls) SessionLogout(userID, token, refreshToken string) error {
	c.log = append(c.log, "logout "+userID+token+refreshToken)
	return c.fail
}

func (c *calls) UsersBanId(_ context.Context, userIDs []string) error {
	c.log = append(c.log, "ban "+userIDs[0])
	return c.fail
}

func (c *calls) UsersUnbanId(_ context.Context, userIDs []string) error {
	c.log = append(c.log, "unban "+userIDs[0])
	return c.fail
}

func (c *calls) AccountDeleteId(_ context.Context, userID string, _ bool) error {
	c.log = append(c.log, "delete "+userID)
	return c.fail
}
