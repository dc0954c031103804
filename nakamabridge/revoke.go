package nakamabridge

import (
	"context"
	"time"

	"github.com/heroiclabs/nakama-common/api"

	"github.com/sallyport/sallyport/session"
)

// Revoke ends every UDP session of a Nakama user at once, and invalidates tokens that the RPC has
// issued before. The id may have any form that Nakama takes. It returns the number of sessions. A user
// who can still call the RPC can come back: ban the account, or log it out, to keep the player away.
func (b *Bridge) Revoke(userID string) int {
	userID = canonical(userID)
	b.revoked.Put(userID, time.Now())
	n := b.server.RevokeSubject(issuerName, userID)
	b.mu.Lock()
	defer b.mu.Unlock()
	for m := range b.members[userID] {
		m.kick(session.ReasonRevoked)
	}
	return n
}

// revokedSince reports whether Revoke may have been called for the user at or after t, which is in
// whole seconds.
func (b *Bridge) revokedSince(userID string, t time.Time) bool {
	at, ok := b.revoked.Get(userID)
	return ok && !t.After(at)
}

// patrol checks the accounts of players periodically, and those of newcomers at once, until the
// Bridge closes: a ban may have come after the RPC's check.
func (b *Bridge) patrol() {
	ticker := time.NewTicker(b.config.BanInterval)
	defer ticker.Stop()
	for {
		select {
		case <-b.closing.Done():
			return
		case <-ticker.C:
			b.inspect(b.playing())
		case userID := <-b.newcomers:
			b.inspect([]string{userID})
		}
	}
}

// announce has patrol check a newcomer soon, or in its next round if many come at once.
func (b *Bridge) announce(userID string) {
	select {
	case b.newcomers <- userID:
	default:
	}
}

// inspect revokes users whose account is banned or gone, a batch with each query.
func (b *Bridge) inspect(users []string) {
	for len(users) > 0 && b.closing.Err() == nil {
		batch := users[:min(accountBatch, len(users))]
		users = users[len(batch):]
		good, err := b.good(batch)
		if err != nil {
			b.config.Logger.Warn("nakamabridge: accounts could not be read")
			continue // they are looked at again soon
		}
		for _, userID := range batch {
			if !good[userID] {
				b.Revoke(userID)
			}
		}
	}
}

// good returns which of these users may play. A query that is under way as the Bridge closes ends by
// itself: Nakama would log one that is cancelled as an error.
func (b *Bridge) good(users []string) (_ map[string]bool, err error) {
	defer b.guard("AccountsGetId", &err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.closing), accountTimeout)
	defer cancel()
	accounts, err := b.config.Accounts.AccountsGetId(ctx, users, nil)
	if err != nil {
		return nil, err
	}
	good := make(map[string]bool, len(accounts))
	for _, account := range accounts {
		good[account.GetUser().GetId()] = !banned(account)
	}
	return good, nil
}

func banned(account *api.Account) bool { return account.GetDisableTime().GetSeconds() > 0 }

// playing returns every user with a UDP session.
func (b *Bridge) playing() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	users := make([]string, 0, len(b.members))
	for userID := range b.members {
		users = append(users, userID)
	}
	return users
}
