package nakamabridge

import (
	"context"
	"net/netip"
	"runtime/debug"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// guard, when deferred, turns a panic into an error, because Nakama does not recover. The panic's
// value, which may quote the client's input, is not logged.
func (b *Bridge) guard(hook string, err *error) {
	if r := recover(); r != nil {
		*err = errInternal
		b.config.Logger.Error("nakamabridge: panic of type %T in %s\n%s", r, hook, debug.Stack())
	}
}

// unread logs that an account could not be read, and returns the client's answer.
func (b *Bridge) unread() error {
	b.config.Logger.Warn("nakamabridge: an account could not be read")
	return errUnavailable
}

// reject records a refusal. Without claims it is that of the signed-in user, if the caller is one.
func (b *Bridge) reject(ctx context.Context, reason audit.Drop, claims *token.Claims, detail string) {
	b.record(ctx, audit.Reject, reason, claims, detail)
}

func (b *Bridge) record(ctx context.Context, d audit.Decision, reason audit.Drop, claims *token.Claims, detail string) {
	e := audit.Event{Decision: d, Reason: reason, Prefix: clientPrefix(ctx), Detail: detail}
	if claims != nil {
		e.Issuer, e.Subject, e.TokenID = claims.Issuer, claims.Subject, claims.ID
	} else if userID := text(ctx, runtime.RUNTIME_CTX_USER_ID); userID != "" {
		e.Issuer, e.Subject = issuerName, userID // as with the RPC's tokens
	}
	b.config.Audit.Record(e)
}

// audit records what the game has decided about a user.
func (b *Bridge) audit(d audit.Decision, userID, detail string) {
	b.config.Audit.Record(audit.Event{Decision: d, Issuer: issuerName, Subject: canonical(userID), Detail: detail})
}

// clientPrefix returns the address of the caller as a prefix; the audit sink shortens it.
func clientPrefix(ctx context.Context) netip.Prefix {
	addr, err := netip.ParseAddr(text(ctx, runtime.RUNTIME_CTX_CLIENT_IP))
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen())
}

// text is a context's string value, or empty.
func text(ctx context.Context, key string) string {
	s, _ := ctx.Value(key).(string)
	return s
}
